import type { Logger } from "pino";
import { type Clock, hasCode, throwIfAborted, toAppError } from "../base/index.ts";
import { type ContainerSummary, type EngineEvent, type LaneCause, toCause } from "../lane/index.ts";
import type { EngineConnection, EngineFinder } from "./ports.ts";

/** The engine as the supervisor sees it now. */
export type EngineState =
  /** Being looked for since the start; nothing is known yet. */
  | { readonly kind: "searching" }
  | { readonly kind: "up"; readonly connection: EngineConnection }
  | { readonly kind: "down"; readonly cause: LaneCause };

/** What {@link runEngineSession} reports. */
export interface EngineWatcher {
  /** The engine came or went: every lane has to be looked at. */
  onState(state: EngineState): void;
  /** A relist: the truth. */
  onRelist(containers: readonly ContainerSummary[], connection: EngineConnection): Promise<void>;
  /** A hint. */
  onEvent(event: EngineEvent): void;
}

/** Pause between two tries to find the engine, ms: first and longest. */
const FIND_FIRST_MS = 100;
const FIND_LONGEST_MS = 5000;

/** A connection that held for so long is worth finding again without a pause. */
const STEADY_MS = 1000;

/** What {@link runEngineSession} works with. */
export interface EngineSessionDeps {
  readonly finder: EngineFinder;
  readonly install: string;
  readonly relistMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly watcher: EngineWatcher;
}

/**
 * Keeps a connection to the engine until `signal` aborts: finds it, relists every `relistMs`, subscribes to events,
 * and starts over when it is lost. Events only shorten latency; losing them loses nothing. A loss is reported only
 * when the engine is not found again at once: a service of our own is back within a tenth of a second.
 */
export async function runEngineSession(deps: EngineSessionDeps, signal: AbortSignal): Promise<void> {
  let pauseMs = FIND_FIRST_MS;
  while (!signal.aborted) {
    try {
      const connection = await deps.finder.connect({ signal });
      const sinceMs = deps.clock.monotonicMs();
      await watchConnection(deps, connection, signal).finally(() => connection.close());
      if (deps.clock.monotonicMs() - sinceMs > STEADY_MS) {
        pauseMs = FIND_FIRST_MS;
        continue;
      }
    } catch (caught) {
      if (signal.aborted) return;
      const error = toAppError(caught);
      if (!hasCode(error, "engine.unavailable", "engine.refused", "timeout"))
        deps.log.error({ err: error }, "engine session failed");
      deps.watcher.onState({ kind: "down", cause: toCause(error) });
    }
    await deps.clock.sleep(pauseMs, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, FIND_LONGEST_MS);
  }
}

/** Watches one connection; returns when it is lost, throws when it never worked. */
async function watchConnection(
  deps: EngineSessionDeps,
  connection: EngineConnection,
  outer: AbortSignal,
): Promise<void> {
  const inner = new AbortController();
  const signal = AbortSignal.any([outer, inner.signal]);
  // The first relist decides whether the engine is up: finding a socket proves nothing.
  let containers = await connection.runtime.listContainers({ install: deps.install, signal });
  deps.watcher.onState({ kind: "up", connection });
  const nap = new Nap(deps.clock);
  const events = followEvents(deps, connection, signal, () => nap.end());
  try {
    for (;;) {
      await deps.watcher.onRelist(containers, connection);
      await nap.sleep(deps.relistMs, signal);
      containers = await connection.runtime.listContainers({ install: deps.install, signal });
    }
  } catch (error) {
    if (!outer.aborted) deps.log.warn({ err: error }, "engine lost");
  } finally {
    inner.abort();
    await events;
  }
}

/** A sleep that can be cut short. */
class Nap {
  readonly #clock: Clock;
  #current = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sleeps `ms`, or less when ended; rejects only by `signal`. */
  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.#current = new AbortController();
    await this.#clock.sleep(ms, { signal: AbortSignal.any([signal, this.#current.signal]) }).catch(() => undefined);
    throwIfAborted(signal);
  }

  /** Ends the present sleep. */
  end(): void {
    this.#current.abort();
  }
}

/** Subscribes again and again, with a pause. A break brings the next relist forward: it is often the service's end. */
async function followEvents(
  deps: EngineSessionDeps,
  connection: EngineConnection,
  signal: AbortSignal,
  onBreak: () => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await connection.runtime.watchEvents({
        install: deps.install,
        signal,
        onOpen: () => undefined,
        onEvent: (event) => deps.watcher.onEvent(event),
      });
    } catch (error) {
      if (!signal.aborted) deps.log.debug({ err: error }, "event stream broke");
    }
    if (!signal.aborted) onBreak();
    if (!signal.aborted) await deps.clock.sleep(500, { signal }).catch(() => undefined);
  }
}
