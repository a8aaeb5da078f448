import { AppError, Semaphore, TaskGroup } from "../base/index.ts";
import {
  type Desired,
  type DriftField,
  type Lane,
  type LaneCause,
  type LanePhase,
  type LaneSettings,
  type LaneState,
  type ObservedContainer,
  resourceNames,
} from "../lane/index.ts";
import { type Plan, planLane } from "../reconcile/index.ts";
import { applyEvent, publish } from "./apply-event.ts";
import type { SupervisorDeps, Workshop } from "./deps.ts";
import { type EngineState, runEngineSession } from "./engine-session.ts";
import { forgetFailures } from "./failure.ts";
import { createRelistFollower, type RelistFollower } from "./follow-relists.ts";
import type { JanitorReport } from "./janitor.ts";
import { type LaneCell, newCell } from "./lane-cell.ts";
import { reconcileLane } from "./lane-loop.ts";
import { LaneQueue } from "./lane-queue.ts";
import { askWorker, runMonitor } from "./monitor.ts";
import { look } from "./observe.ts";
import type { CallOptions, EngineConnection, LaneLink } from "./ports.ts";
import { dropLink } from "./prove.ts";
import { spreadCredentials } from "./supply-credentials.ts";

/** A lane as it is now: its record, its state and what was last seen of its container. */
export interface LaneView {
  readonly lane: Lane;
  readonly state: LaneState;
  readonly container: ObservedContainer | null;
  readonly drift: readonly DriftField[];
  readonly linked: boolean;
  /** Digest of the credentials that its worker has confirmed last. */
  readonly credentials: string | null;
}

/** What a person may plan for. */
export type Intent = "ensure" | "stop" | "restart" | "recreate" | "remove";

/** States in which `ensure` has nothing more to wait for. */
const SETTLED: ReadonlySet<LanePhase> = new Set(["ready", "failed", "unknown"]);

/**
 * Keeps every lane as it is wanted. Level-based: events, relists, calls and timers only wake a lane's loop, which
 * observes, plans and executes; one lane is never looked at twice at once.
 */
export class Supervisor<L extends LaneLink> {
  readonly #shop: Workshop<L>;
  readonly #cells = new Map<string, LaneCell<L>>();
  readonly #queue: LaneQueue;
  readonly #tasks: TaskGroup;
  readonly #detach = new AbortController();
  readonly #relists: RelistFollower;
  #engine: EngineState = { kind: "searching" };

  constructor(deps: SupervisorDeps<L>) {
    this.#shop = {
      ...deps,
      mutations: new Semaphore(deps.limits.concurrency),
      wake: (laneId) => this.#queue.wake(laneId),
    };
    this.#tasks = new TaskGroup((name, error) => deps.log.error({ err: error, task: name }, "background task failed"));
    this.#queue = new LaneQueue({ clock: deps.clock, tasks: this.#tasks, run: (laneId) => this.#run(laneId) });
    this.#relists = createRelistFollower(this.#shop, this.#cells, {
      reset: (cell, cause) => this.#reset(cell, cause),
      signal: this.#detach.signal,
    });
  }

  /** Loads all lanes, adopts what runs, and keeps going until {@link close}. */
  start(): void {
    const { store, clock } = this.#shop;
    for (const lane of store.listLanes())
      this.#cells.set(lane.id, newCell(lane, store.loadMemory(lane.id), clock.monotonicMs()));
    for (const cell of this.#cells.values()) this.#shop.desk.pause(cell.lane.id, "the daemon is starting");
    const signal = this.#detach.signal;
    this.#tasks.run("engine session", () =>
      runEngineSession(
        {
          finder: this.#shop.engine,
          install: this.#shop.install.install,
          relistMs: this.#shop.limits.relistMs,
          clock,
          log: this.#shop.log,
          watcher: {
            onState: (state) => this.#onEngine(state),
            onRelist: (containers, connection) => this.#relists.onRelist(containers, connection),
            onEvent: (event) => this.#wakeByName(event.containerName),
          },
        },
        signal,
      ),
    );
    this.#tasks.run("monitor", () =>
      runMonitor(this.#shop, this.#cells, (name, fn) => this.#tasks.run(name, fn), signal),
    );
  }

  /** Lets go of every lane and leaves all containers running. */
  async close(): Promise<void> {
    this.#queue.close();
    this.#detach.abort(new AppError({ code: "daemon.stopping", message: "the daemon is stopping" }));
    for (const cell of this.#cells.values()) dropLink(this.#shop, cell, "the daemon is stopping");
    await this.#tasks.close();
    for (const cell of this.#cells.values()) publish(cell);
  }

  /** The engine as it is now. */
  get engine(): EngineState {
    return this.#engine;
  }

  /** All lanes, in the order they were made. */
  list(): readonly LaneView[] {
    return [...this.#cells.values()].map(viewOf);
  }

  /** All lanes on record, from memory. */
  lanes(): readonly Lane[] {
    return [...this.#cells.values()].map((cell) => cell.lane);
  }

  /** A lane on record, from memory. */
  findLane(laneId: string): Lane | null {
    return this.#cells.get(laneId)?.lane ?? null;
  }

  /** @throws lane.not_found */
  view(laneId: string): LaneView {
    return viewOf(this.#cell(laneId));
  }

  /** Takes a new lane into care; it must be on record already. */
  add(lane: Lane): LaneView {
    const cell = newCell<L>(lane, { failuresAtMs: [], failed: null }, this.#shop.clock.monotonicMs());
    this.#cells.set(lane.id, cell);
    this.#shop.wake(lane.id);
    return viewOf(cell);
  }

  /**
   * Wants the lane up and waits until it is ready, failed or unknown, at most `waitMs`. Calls share the run under way.
   * A lane that says it is ready is asked over its link before that is believed.
   */
  async ensure(laneId: string, opts: CallOptions & { readonly waitMs: number }): Promise<LaneView> {
    const cell = this.#kept(laneId);
    if (cell.lane.desired !== "up") this.#want(cell, "up");
    const askedMs = this.#shop.clock.monotonicMs();
    if (cell.state.phase === "ready" && (await askWorker(this.#shop, cell, opts.signal)) && isReady(cell))
      return viewOf(cell);
    this.#shop.wake(laneId);
    const settled = (c: LaneCell<L>) =>
      SETTLED.has(c.state.phase) && (c.state.phase !== "ready" || c.lastAnswerMs >= askedMs);
    await this.#until(cell, (c) => settled(c) || c.lane.desired !== "up", opts);
    return viewOf(cell);
  }

  /** A person's start: forgets failures, then as {@link ensure}. */
  async startLane(laneId: string, opts: CallOptions & { readonly waitMs: number }): Promise<LaneView> {
    this.#reset(this.#kept(laneId), { code: "user_start", message: "started by request" });
    return this.ensure(laneId, opts);
  }

  /** Wants the lane stopped and waits until its death is proven. */
  async stop(laneId: string, opts: CallOptions & { readonly waitMs: number }): Promise<LaneView> {
    const cell = this.#kept(laneId);
    this.#reset(cell, { code: "user_stop", message: "stopped by request" });
    cell.request = null;
    this.#want(cell, "stopped");
    await this.#until(cell, (c) => isDown(c) || c.lane.desired !== "stopped", opts);
    return viewOf(cell);
  }

  /** Replaces the container: at once with `now`, else when the running job has ended; waits as {@link ensure}. */
  async recreate(
    laneId: string,
    opts: CallOptions & { readonly waitMs: number; readonly now: boolean; readonly kind: "restart" | "recreate" },
  ): Promise<LaneView> {
    const cell = this.#kept(laneId);
    const cause: LaneCause = {
      code: `user_${opts.kind}`,
      message: `${opts.kind === "restart" ? "restarted" : "recreated"} by request`,
    };
    const before = cell.lane.generation;
    this.#reset(cell, cause);
    cell.request = { kind: opts.kind, now: opts.now, cause };
    this.#want(cell, "up");
    await this.#until(
      cell,
      (c) => SETTLED.has(c.state.phase) && (c.lane.generation > before || c.state.phase !== "ready"),
      opts,
    );
    return viewOf(cell);
  }

  /** Removes container, network, volume and record; resolves when they are gone. */
  async remove(laneId: string, opts: CallOptions & { readonly waitMs: number }): Promise<void> {
    const cell = this.#cell(laneId);
    this.#want(cell, "gone");
    await this.#until(cell, () => !this.#cells.has(laneId), opts);
    if (!this.#cells.has(laneId)) return;
    throw new AppError({
      code: "timeout",
      message: `lane ${cell.lane.name} is still being removed (${cell.state.phase})`,
      hint: `watch it: lane history ${cell.lane.name}`,
      retry: "retryable",
    });
  }

  /** Changes settings; drift follows by the lane's policy. A failed lane gets another chance. */
  patch(laneId: string, settings: LaneSettings): LaneView {
    const cell = this.#kept(laneId);
    cell.lane = this.#shop.store.updateLane(laneId, { settings });
    this.#reset(cell, { code: "config_changed", message: "its settings were changed" });
    this.#heed(cell);
    return viewOf(cell);
  }

  /** What would be done for an intent, and why. Changes nothing. @throws engine.unavailable */
  async plan(laneId: string, intent: Intent, opts: CallOptions): Promise<Plan> {
    const cell = this.#cell(laneId);
    const connection = this.connection();
    const { wanted, seen } = await look(this.#shop, cell, connection, opts.signal ?? this.#detach.signal);
    const cause: LaneCause = { code: `user_${intent}`, message: "by request" };
    const request = intent === "restart" || intent === "recreate" ? { kind: intent, now: false, cause } : null;
    const desired: Desired = intent === "stop" ? "stopped" : intent === "remove" ? "gone" : "up";
    const state: LaneState = cell.state.phase === "failed" ? { phase: "absent" } : cell.state;
    return planLane({ ...wanted, desired, request }, seen, state, this.#shop.clock.nowMs(), this.#shop.limits.plan);
  }

  /** The engine's connection. @throws engine.unavailable with the cause and the remedy */
  connection(): EngineConnection {
    if (this.#engine.kind === "up") return this.#engine.connection;
    const cause: LaneCause =
      this.#engine.kind === "down"
        ? this.#engine.cause
        : { code: "engine.unavailable", message: "the container engine is still being looked for" };
    const hint = cause.hint ?? "see: lane doctor";
    throw new AppError({ code: "engine.unavailable", message: cause.message, hint, retry: "retryable" });
  }

  /**
   * Has a lane looked at: a job was submitted, the last one ended. A ready lane at work goes on as it is, and looking at
   * it takes time from that work; its end wakes it in any case.
   */
  wake(laneId: string): void {
    if (this.#cells.get(laneId)?.state.phase === "ready" && this.#shop.desk.busy(laneId)) return;
    this.#shop.wake(laneId);
  }

  /** Breaks a lane's link; the loop opens another one. */
  dropLink(laneId: string, reason: string): void {
    this.#cells.get(laneId)?.link?.close(reason);
  }

  /**
   * Has this generation's container ended by force and its death proven, whatever its worker says or does; the lane
   * comes back as after any failure. Without effect on a lane that has another generation by now.
   */
  endGeneration(laneId: string, generation: number, cause: LaneCause): void {
    const cell = this.#cells.get(laneId);
    if (!cell || cell.lane.generation !== generation) return;
    cell.request = { kind: "end", now: true, cause };
    this.#heed(cell);
  }

  /** The host's credentials have changed, or cannot be used any more. */
  credentialsChanged(): void {
    const spawn = (name: string, fn: () => Promise<void>) => this.#tasks.run(name, fn);
    const reset = (cell: LaneCell<L>, cause: LaneCause) => this.#reset(cell, cause);
    spreadCredentials(this.#shop, this.#cells.values(), { spawn, reset, signal: this.#detach.signal });
  }

  /** One pass of the janitor. */
  async sweep(opts: CallOptions & { readonly graceMs?: number }): Promise<JanitorReport> {
    const graceMs = opts.graceMs ?? this.#shop.limits.orphanGraceMs;
    return this.#relists.sweep(this.connection(), { ...opts, graceMs });
  }

  // ---- loop ----

  async #run(laneId: string): Promise<number | null> {
    const cell = this.#cells.get(laneId);
    if (!cell || this.#detach.signal.aborted) return null;
    try {
      const outcome = await reconcileLane(this.#shop, cell, this.#engine, this.#detach.signal);
      if (outcome.kind === "disposed") this.#cells.delete(laneId);
      publish(cell);
      return outcome.kind === "requeue" ? outcome.afterMs : null;
    } catch (error) {
      if (this.#detach.signal.aborted) return null;
      this.#shop.log.error({ err: error, lane: laneId }, "lane loop failed");
      publish(cell);
      return 1000;
    }
  }

  #onEngine(state: EngineState): void {
    this.#engine = state;
    if (state.kind === "up") this.#relists.onEngineUp();
    if (state.kind === "down") this.#shop.log.warn({ cause: state.cause }, "engine down");
    if (state.kind === "up") this.#shop.log.info({ facts: state.connection.facts }, "engine up");
    for (const laneId of this.#cells.keys()) this.#shop.wake(laneId);
  }

  #wakeByName(containerName: string): void {
    const prefix = resourceNames(this.#shop.install.install, "").container;
    const laneId = containerName.startsWith(prefix) ? containerName.slice(prefix.length) : "";
    if (this.#cells.has(laneId)) this.#shop.wake(laneId);
  }

  // ---- calls ----

  #cell(laneId: string): LaneCell<L> {
    const cell = this.#cells.get(laneId);
    if (cell) return cell;
    throw new AppError({ code: "lane.not_found", message: `there is no lane ${laneId}`, hint: "see: lane ls" });
  }

  /** A lane that is to stay: a removal that was begun is not taken back. */
  #kept(laneId: string): LaneCell<L> {
    const cell = this.#cell(laneId);
    if (cell.lane.desired !== "gone") return cell;
    const message = `lane ${cell.lane.name} is being removed`;
    throw new AppError({ code: "lane.not_found", message, hint: "see whether it is gone: lane ls" });
  }

  #want(cell: LaneCell<L>, desired: Desired): void {
    if (cell.lane.desired !== desired) cell.lane = this.#shop.store.updateLane(cell.lane.id, { desired });
    publish(cell);
    this.#heed(cell);
  }

  /** Something else is wanted now: a start that waits for proof is not waited for. */
  #heed(cell: LaneCell<L>): void {
    cell.interrupt.abort();
    this.#shop.wake(cell.lane.id);
  }

  #reset(cell: LaneCell<L>, cause: LaneCause): void {
    forgetFailures(this.#shop, cell);
    this.#shop.images?.retry(cell.lane.id);
    if (cell.state.phase !== "failed" && cell.state.phase !== "backoff") return;
    applyEvent(this.#shop, cell, { type: "reset", cause, atMs: this.#shop.clock.nowMs() });
  }

  async #until(
    cell: LaneCell<L>,
    done: (cell: LaneCell<L>) => boolean,
    opts: CallOptions & { readonly waitMs: number },
  ): Promise<void> {
    if (opts.waitMs <= 0 || done(cell)) return;
    const over = new AbortController();
    const watcher = () => {
      if (done(cell) || this.#detach.signal.aborted) over.abort();
    };
    cell.watchers.add(watcher);
    const signal = opts.signal ? AbortSignal.any([opts.signal, over.signal]) : over.signal;
    try {
      await this.#shop.clock.sleep(opts.waitMs, { signal }).catch(() => undefined);
    } finally {
      cell.watchers.delete(watcher);
    }
  }
}

function viewOf<L extends LaneLink>(cell: LaneCell<L>): LaneView {
  const { lane, state, container, drift, link, supply } = cell;
  return { lane, state, container, drift, linked: link !== null, credentials: supply.digest };
}

function isReady<L extends LaneLink>(cell: LaneCell<L>): boolean {
  return cell.state.phase === "ready";
}

function isDown<L extends LaneLink>(cell: LaneCell<L>): boolean {
  return cell.state.phase === "stopped" || cell.state.phase === "absent" || cell.state.phase === "unknown";
}
