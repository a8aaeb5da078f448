import type { Logger } from "pino";
import { type Clock, hasCode, Semaphore, TaskGroup, toAppError } from "../../base/index.ts";
import { type DerivedImage, type Lane, type LaneCause, renderPackages, toCause } from "../../lane/index.ts";
import type { BuildFacts, ImageBuilder } from "../../podman/index.ts";
import type { CallOptions, EngineConnection, ImageMaker } from "../../supervisor/index.ts";
import { createImageSweep } from "./sweep-images.ts";

/** What is made at once: it fills the line and the disk. */
const AT_ONCE = 2;

/** An image that no lane wants any more stays so long: a setting that is taken back needs it again. */
const UNWANTED_MS = 3_600_000;

/** After the engine went amid the work. */
const PAUSE_MS = 1000;

/** The supervisor's {@link ImageMaker}, and what people see of it. */
export interface PackagesDesk extends ImageMaker, AsyncDisposable {
  /** What a lane waits for, or why its image could not be made; null: neither. */
  causeOf(laneId: string): LaneCause | null;
  /** Removes images that no lane wants, at once; their names. */
  prune(engine: EngineConnection, opts: CallOptions): Promise<readonly string[]>;
}

/** What the desk works with. */
export interface PackagesDeps {
  readonly install: string;
  readonly openBuilder: (address: string) => ImageBuilder;
  /** How images are made on this machine. */
  readonly factsOf: (engine: EngineConnection, image: DerivedImage, opts: CallOptions) => Promise<BuildFacts>;
  readonly lanes: () => readonly Lane[];
  readonly wake: (laneId: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Making {
  readonly image: DerivedImage;
  readonly lanes: Set<string>;
  readonly stop: AbortController;
}

interface Failure {
  readonly key: string;
  readonly cause: LaneCause;
  readonly output: readonly string[];
}

/** See {@link PackagesDesk}. */
export function createPackagesDesk(deps: PackagesDeps): PackagesDesk {
  const { clock, log } = deps;
  const making = new Map<string, Making>();
  const failures = new Map<string, Failure>();
  /** By lane: the image that it is to be made from; null for one without packages. */
  const wanted = new Map<string, string | null>();
  const room = new Semaphore(AT_ONCE);
  const tasks = new TaskGroup((_, err) => log.error({ err }, "making an image failed unexpectedly"));

  const nameOf = (laneId: string) => deps.lanes().find(({ id }) => id === laneId)?.name ?? laneId;
  const fail = (laneId: string, { key }: DerivedImage, caught: unknown): void => {
    const { hint, ...error } = toCause(toAppError(caught));
    const name = nameOf(laneId);
    const { output } = toAppError(caught).details;
    failures.set(laneId, {
      key,
      cause: {
        ...error,
        message: `lane ${name}: ${error.message}`,
        hint: `${hint ?? "try again"}: lane start ${name}`,
      },
      output: Array.isArray(output) ? output.map(String) : [],
    });
  };
  /** The lane does not wait for this any more; what nobody waits for is given up. */
  const leave = (laneId: string, one: Making): void => {
    if (one.lanes.delete(laneId) && one.lanes.size === 0) one.stop.abort();
  };
  const make = async (one: Making, engine: EngineConnection): Promise<void> => {
    const { image } = one;
    const { signal } = one.stop;
    const sinceMs = clock.monotonicMs();
    try {
      await room.run({ signal }, () =>
        withBuilder(engine, async (builder) =>
          builder.build(image, await deps.factsOf(engine, image, { signal }), { signal }),
        ),
      );
      log.info({ image: image.name, durationMs: clock.monotonicMs() - sinceMs }, "image made");
    } catch (err) {
      if (!signal.aborted) await unmade(one, err);
    } finally {
      making.delete(image.key);
      for (const laneId of one.lanes) deps.wake(laneId);
    }
  };
  const unmade = async ({ image, lanes, stop }: Making, err: unknown): Promise<void> => {
    log.warn({ err, image: image.name }, "image not made");
    // No failure of the lanes': it is tried again when the engine is back.
    if (hasCode(err, "engine.unavailable")) await clock.sleep(PAUSE_MS, { signal: stop.signal }).catch(() => undefined);
    else for (const laneId of lanes) fail(laneId, image, err);
  };

  const sweepImages = createImageSweep({
    install: deps.install,
    // What a lane wants that was not looked at yet is not known: then none is unwanted.
    isWanted: (name) => [...wanted.values()].includes(name) || !deps.lanes().every(({ id }) => wanted.has(id)),
    isMaking: () => making.size > 0,
    nowMs: clock.monotonicMs,
  });
  const withBuilder = async <T>(engine: EngineConnection, act: (builder: ImageBuilder) => Promise<T>): Promise<T> => {
    const builder = deps.openBuilder(engine.facts.address);
    try {
      return await act(builder);
    } finally {
      await builder.close();
    }
  };

  return {
    note(laneId, image) {
      wanted.set(laneId, image?.name ?? null);
      for (const one of making.values()) if (one.image.key !== image?.key) leave(laneId, one);
      if (failures.get(laneId)?.key !== image?.key) failures.delete(laneId);
    },
    failureOf: (laneId, { key }) => {
      const failure = failures.get(laneId);
      return failure?.key === key ? failure.cause : null;
    },
    outputOf: (laneId) => failures.get(laneId)?.output ?? [],
    begin(laneId, image, engine) {
      const known = making.get(image.key);
      if (known?.lanes.has(laneId)) return false;
      known?.lanes.add(laneId);
      if (known) return true;
      const one = { image, lanes: new Set([laneId]), stop: new AbortController() };
      making.set(image.key, one);
      tasks.run(image.name, () => make(one, engine));
      return true;
    },
    retry: (laneId) => void failures.delete(laneId),
    leave(laneId) {
      wanted.delete(laneId);
      failures.delete(laneId);
      for (const one of making.values()) leave(laneId, one);
    },
    causeOf: (laneId) => {
      const one = [...making.values()].find(({ lanes }) => lanes.has(laneId));
      if (!one) return failures.get(laneId)?.cause ?? null;
      return { code: "image_making", message: `its image with ${renderPackages(one.image.packages)} is being made` };
    },
    sweep: (engine, opts) =>
      withBuilder(engine, async (builder) => [
        ...(await builder.sweep(deps.install, () => [...making.values()].map(({ image }) => image), opts)),
        ...(await sweepImages(builder, UNWANTED_MS, opts)),
      ]),
    prune: (engine, opts) => withBuilder(engine, (builder) => sweepImages(builder, 0, opts)),
    async [Symbol.asyncDispose]() {
      for (const { stop } of making.values()) stop.abort();
      await tasks.close();
    },
  };
}
