import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LaneRuntime } from "./ports.ts";
import { createScene, engineError, IMAGE, LANE, leftovers, NAMES, ONE_LANE_UP, type Scene } from "./testing.ts";

const WAIT = { waitMs: 1000 };
const quietly = (promise: Promise<unknown>) => void promise.catch(() => undefined);
const policy = (drift: "when-idle" | "now" | "hold", value: number) => ({
  ...LANE.settings,
  drift,
  env: { VALUE: String(value) },
});

/** The container, if there is one, as a victim. */
const victim = (scene: Scene) => scene.runtime.containers().find((c) => c.name === NAMES.container);

/** The pids that a daemon has seen are forgotten with it: only one that lives on can tell a process that outlives. */
function reborn(scene: Scene, killAfter?: number): void {
  scene.host.lingering.clear();
  scene.begin(killAfter === undefined ? {} : { killAfter });
}

/** What may happen at any moment. */
const FAULTS: Readonly<Record<string, (scene: Scene, n: number) => void>> = {
  "kill the daemon": (scene) => reborn(scene),
  "kill the daemon amid its calls": (scene, n) => reborn(scene, n),
  "end the worker": (scene) => {
    if (victim(scene)?.status === "running") scene.die(137);
  },
  "end the worker, unnoticed": (scene) => {
    const pid = victim(scene)?.pid;
    if (pid) scene.runtime.processes.delete(pid);
    scene.workers.follow();
  },
  "let the process outlive its container": (scene) => {
    const pid = victim(scene)?.pid;
    const startTime = pid ? scene.host.startTime(pid) : null;
    if (pid && startTime !== null) scene.host.lingering.set(pid, startTime);
  },
  "remove the container": (scene) => {
    if (victim(scene)) scene.runtime.vanish(NAMES.container);
    scene.workers.follow();
  },
  "end the monitor": (scene) => {
    if (victim(scene)) scene.runtime.loseMonitor(NAMES.container);
  },
  "pause the container": (scene) => {
    if (victim(scene)?.status === "running") scene.runtime.pause(NAMES.container);
  },
  "freeze the worker": (scene) => {
    scene.workers.frozen = true;
  },
  "thaw the worker": (scene) => {
    scene.workers.frozen = false;
  },
  "cut the link": (scene) => scene.workers.openLinks()[0]?.close("cut"),
  "take the engine away": (scene) => scene.runtime.setUnavailable("gone"),
  "bring the engine back": (scene) => scene.runtime.setUnavailable(null),
  "break the events": (scene) => scene.runtime.breakEvents(),
  "fail a call": (scene, n) => {
    const methods = [
      ...["inspectContainer", "createContainer", "startContainer", "stopContainer", "removeContainer", "findImage"],
      ...["containerLogs", "ensureNetwork", "ensureVolume", "listContainers", "unpauseContainer"],
    ] as (keyof LaneRuntime)[];
    const codes = ["engine.request_failed", "engine.unavailable", "engine.conflict", "engine.port_in_use"] as const;
    const method = methods[n % methods.length] ?? "inspectContainer";
    scene.runtime.failNext(method, engineError(codes[n % codes.length] ?? "engine.request_failed"));
  },
  "take the image away": (scene) => scene.runtime.images.clear(),
  "bring the image back": (scene, n) => void scene.runtime.images.set(IMAGE.reference, (n % 2 ? "b" : "a").repeat(64)),
  "fill the disk": (scene) => {
    scene.store.full = true;
  },
  "make room": (scene) => {
    scene.store.full = false;
  },
  "start a job": (scene) => void scene.desk.jobs.add(LANE.id),
  "end the job": (scene) => {
    scene.desk.jobs.clear();
    scene.supervisor.wake(LANE.id);
  },
  "change the settings": (scene, n) => {
    if (!scene.store.full)
      scene.supervisor.patch(LANE.id, policy((["when-idle", "now", "hold"] as const)[n % 3] ?? "now", n));
  },
  "stop the lane": (scene) => quietly(scene.supervisor.stop(LANE.id, WAIT)),
  "ensure the lane": (scene) => quietly(scene.supervisor.ensure(LANE.id, WAIT)),
  "start the lane": (scene) => quietly(scene.supervisor.startLane(LANE.id, WAIT)),
  "recreate the lane": (scene, n) =>
    quietly(scene.supervisor.recreate(LANE.id, { ...WAIT, now: n % 2 === 0, kind: "recreate" })),
  "set the clock": (scene, n) => scene.clock.jumpWall((n - 20) * 300_000),
};

/** Ends all that hurts, and wants the lane up. */
async function calm(scene: Scene): Promise<void> {
  scene.runtime.setUnavailable(null);
  scene.runtime.images.set(IMAGE.reference, IMAGE.id);
  scene.workers.frozen = false;
  scene.store.full = false;
  scene.host.lingering.clear();
  scene.life.killAfter(Number.POSITIVE_INFINITY);
  if (!scene.life.isAlive) scene.begin();
  await scene.clock.advance(20_000);
  scene.desk.jobs.clear();
  scene.supervisor.wake(LANE.id);
  quietly(scene.supervisor.startLane(LANE.id, WAIT));
}

const faults = fc.array(
  fc.record({
    fault: fc.constantFrom(...Object.keys(FAULTS)),
    n: fc.integer({ min: 0, max: 40 }),
    thenMs: fc.constantFrom(0, 1, 100, 3000, 20_000, 90_000),
  }),
  { minLength: 1, maxLength: 12 },
);

describe("a lane to which everything happens", () => {
  it("comes up again, once, and no death was told that was none", async () => {
    await fc.assert(
      fc.asyncProperty(faults, async (story) => {
        const scene = createScene({ limits: { orphanGraceMs: 5000 } });
        scene.begin();
        await scene.clock.advance(100);
        for (const { fault, n, thenMs } of story) {
          // A daemon that was killed is started again before anything is asked of it.
          if (!scene.life.isAlive) reborn(scene);
          try {
            FAULTS[fault]?.(scene, n);
          } catch (error) {
            // The daemon was killed within the call.
            if (scene.life.isAlive) throw error;
          }
          await scene.clock.advance(thenMs);
        }
        await calm(scene);
        await scene.clock.until(() => scene.state.phase === "ready" && scene.desk.open(LANE.id), 300_000);
        await scene.clock.advance(30_000);
        expect(scene.state.phase).toBe("ready");
        expect(await leftovers(scene)).toBe(ONE_LANE_UP);
        expect(scene.falseDeaths).toEqual([]);
        expect(scene.doubles).toEqual([]);
        const codes = scene.errors.map((line) => (line.err as { code?: string } | undefined)?.code);
        expect(codes.filter((code) => code?.startsWith("internal."))).toEqual([]);
      }),
      { numRuns: Number(process.env.NEMESIS_RUNS ?? 25) },
    );
  });
});
