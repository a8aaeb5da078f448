import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createScene, LANE, leftovers, ONE_LANE_UP, type Scene } from "./testing.ts";

/** The bare ladder, s. */
const LADDER = [1, 2, 4, 8, 16, 32, 60];

/** From each failure to the next start, ms. */
function pausesOf(scene: Scene): number[] {
  const history = scene.history();
  return history.flatMap((entry, i) => {
    if (entry.event !== "retry_later") return [];
    const next = history.slice(i).find((later) => later.event === "create");
    return next ? [next.atMs - entry.atMs] : [];
  });
}

function exitingAtOnce(): Scene {
  const scene = createScene();
  scene.workers.script = () => ({ exitsAfterMs: 0 });
  return scene;
}

describe("a worker that exits at once", () => {
  it("is started eight times, with pauses that double up to a minute, and is then failed for good", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 7, maxLength: 7 }),
        async (units) => {
          const scene = exitingAtOnce();
          let drawn = 0;
          scene.random = () => units[drawn++ % units.length] ?? 0.5;
          scene.begin();
          await scene.reach("failed", 300_000);
          const pauses = pausesOf(scene);
          expect(pauses).toHaveLength(7);
          for (const [i, seconds] of LADDER.entries()) {
            expect(pauses[i]).toBeGreaterThanOrEqual(seconds * 750);
            expect(pauses[i]).toBeLessThanOrEqual(seconds * 1250 + 1);
          }
          expect(scene.state).toMatchObject({ failures: 8, cause: { code: "lane.not_ready" } });
          expect(scene.runtime.containers()).toEqual([]);
          expect(scene.workers.starts).toHaveLength(8);
          await scene.clock.advance(600_000);
          expect(scene.workers.starts).toHaveLength(8);
          expect(scene.errors).toEqual([]);
        },
      ),
      { numRuns: 5 },
    );
  });

  it("costs nothing while it waits: once the end is seen, the engine is only listed", async () => {
    const scene = exitingAtOnce();
    scene.begin();
    await scene.clock.until(() => scene.state.phase === "backoff" && scene.state.failures === 7, 200_000);
    // The next relist shows that the container has gone.
    await scene.clock.advance(5000);
    const [mark, fired] = [scene.runtime.calls.length, scene.clock.fired];
    await scene.clock.advance(45_000);
    expect(scene.state.phase).toBe("backoff");
    // Relists, and the monitor that looks for lanes to ask.
    expect(scene.clock.fired - fired).toBeLessThan(45 / 5 + 45 / 4 + 2);
    const made = scene.runtime.calls.slice(mark).map((call) => call.method);
    expect(new Set(made)).toEqual(new Set(["listContainers"]));
    expect(made).toHaveLength(9);
  });

  it("keeps the last lines of its output", async () => {
    const scene = createScene();
    scene.workers.script = () => ({ opensAfterMs: 10_000, exitsAfterMs: 100 });
    scene.onEvent = (event, deliver) => {
      if (event.action === "start") scene.runtime.writeLog(event.containerId, "first", "last");
      deliver(event);
    };
    scene.begin();
    await scene.reach("failed", 300_000);
    expect(scene.state).toMatchObject({ logTail: ["first", "last"] });
  });

  it("is not started a ninth time because the daemon was restarted", async () => {
    const scene = exitingAtOnce();
    scene.begin();
    await scene.clock.until(() => scene.state.phase === "backoff" && scene.state.failures === 5, 200_000);
    scene.begin();
    await scene.reach("failed", 300_000);
    expect(scene.workers.starts).toHaveLength(8);
    scene.begin();
    await scene.clock.advance(300_000);
    expect(scene.state.phase).toBe("failed");
    expect(scene.workers.starts).toHaveLength(8);
  });

  it("starts over by a person's start, from the first pause", async () => {
    const scene = exitingAtOnce();
    scene.begin();
    await scene.reach("failed", 300_000);
    void scene.supervisor.startLane(LANE.id, { waitMs: 1000 });
    await scene.reach("backoff");
    expect(scene.state).toMatchObject({ failures: 1 });
    expect(pausesOf(scene).slice(0, 7)).toHaveLength(7);
  });

  it("starts over at once with other settings", async () => {
    const scene = exitingAtOnce();
    scene.begin();
    await scene.reach("failed", 300_000);
    scene.workers.script = () => ({});
    scene.supervisor.patch(LANE.id, { ...LANE.settings, env: { FIXED: "1" } });
    await scene.reach("ready", 1000);
    expect(scene.container.env.FIXED).toBe("1");
  });
});

describe("failures that are long past", () => {
  it("count until the lane has been ready for ten minutes; one good start forgets nothing", async () => {
    const scene = createScene();
    scene.workers.script = (generation) => (generation === 1 ? { exitsAfterMs: 0 } : {});
    await scene.up();
    await scene.clock.advance(60_000);
    scene.die(1);
    await scene.reach("backoff");
    expect(scene.state).toMatchObject({ failures: 2, cause: { code: "worker_died" } });
    await scene.reach("ready");
    await scene.clock.advance(605_000);
    expect(scene.store.loadMemory(LANE.id)).toEqual({ failuresAtMs: [], failed: null });
    scene.die(1);
    await scene.reach("backoff");
    expect(scene.state).toMatchObject({ failures: 1 });
  });
});

describe("a wall clock that is set", () => {
  it.each([3_600_000, -3_600_000])("by %d ms keeps no lane waiting", async (ms) => {
    const scene = createScene();
    scene.workers.script = (generation) => (generation < 4 ? { exitsAfterMs: 0 } : {});
    scene.begin();
    await scene.clock.until(() => scene.state.phase === "backoff" && scene.state.failures === 3, 60_000);
    scene.clock.jumpWall(ms);
    await scene.reach("ready", 5000);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("does not make a stop wait longer for the running job", async () => {
    const scene = createScene();
    await scene.up();
    scene.desk.jobs.add(LANE.id);
    void scene.supervisor.stop(LANE.id, { waitMs: 60_000 });
    await scene.reach("draining");
    scene.clock.jumpWall(-3_600_000);
    await scene.reach("stopped", 31_000);
  });
});
