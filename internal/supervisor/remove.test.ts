import { describe, expect, it } from "vitest";
import { createScene, engineError, LANE, leftovers, NOTHING, type Scene, watch } from "./testing.ts";

const WAIT = { waitMs: 120_000 };

describe("remove", () => {
  it("ends the container, then network, volume and folder; the dispatcher hears of it before the record goes", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const [calls, said] = [scene.life.calls.length, scene.desk.said.length];
    const known: boolean[] = [];
    const removed = scene.desk.onLaneRemoved;
    scene.desk.onLaneRemoved = (laneId) => {
      known.push(scene.store.findLane(laneId) !== null);
      removed(laneId);
    };
    const seen = watch(supervisor.remove(LANE.id, WAIT));
    await scene.clock.advance(100);
    expect(seen.error).toBeNull();
    expect(scene.life.calls.slice(calls).filter((call) => /remove|delete/.test(call))).toEqual([
      "runtime.removeContainer",
      "runtime.removeNetwork",
      "runtime.removeVolume",
      "boot.remove",
      "store.deleteLane",
    ]);
    expect(scene.desk.said.slice(said)).toEqual(["pause", "detach", "dead 1", "pause", "removed"]);
    expect(known).toEqual([true]);
    expect(await leftovers(scene)).toBe(NOTHING);
    expect(supervisor.findLane(LANE.id)).toBeNull();
    expect(scene.boot.secrets.size).toBe(0);
    expect(scene.falseDeaths).toEqual([]);
  });

  it("leaves a foreign container of the lane's name", async () => {
    const scene = createScene();
    const other = createScene();
    await other.up();
    const labels = { labels: null, rawLabels: { "io.lanekeeper.install": "another" } };
    const foreign = { ...other.container, ...labels, networks: [], mounts: [] };
    scene.runtime.addContainer(foreign);
    scene.begin();
    await scene.reach("failed", 1000);
    const seen = watch(scene.supervisor.remove(LANE.id, WAIT));
    await scene.clock.advance(1000);
    expect(seen.error).toBeNull();
    expect(scene.supervisor.findLane(LANE.id)).toBeNull();
    expect(scene.runtime.containers()).toEqual([foreign]);
    expect(scene.mutations()).toEqual(["clearName", "removeNetwork", "removeVolume"]);
  });

  it.each<[string, (scene: Scene) => Promise<unknown>]>([
    [
      "a lane that is being started",
      (scene) => {
        scene.workers.script = () => ({ opensAfterMs: 100_000 });
        scene.begin();
        return scene.reach("probing", 1000);
      },
    ],
    [
      "a lane that waits to be tried again",
      (scene) => {
        scene.workers.script = () => ({ exitsAfterMs: 0 });
        scene.begin();
        return scene.reach("backoff", 1000);
      },
    ],
    [
      "a lane that is stopped",
      async (scene) => {
        const supervisor = await scene.up();
        void supervisor.stop(LANE.id, WAIT);
        await scene.reach("stopped", 1000);
      },
    ],
    [
      "a lane at work",
      async (scene) => {
        await scene.up();
        scene.desk.jobs.add(LANE.id);
      },
    ],
  ])("ends %s within two seconds", async (_what, bring) => {
    const scene = createScene();
    await bring(scene);
    const seen = watch(scene.supervisor.remove(LANE.id, WAIT));
    await scene.clock.advance(2000);
    expect(seen.error).toBeNull();
    expect(scene.supervisor.findLane(LANE.id)).toBeNull();
    expect(await leftovers(scene)).toBe(NOTHING);
  });

  it("goes on when each part of it fails once", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    for (const method of ["removeContainer", "removeNetwork", "removeVolume"] as const)
      scene.runtime.failNext(method, engineError("engine.request_failed"));
    const seen = watch(supervisor.remove(LANE.id, WAIT));
    await scene.clock.advance(4000);
    expect(seen.error).toBeNull();
    expect(supervisor.findLane(LANE.id)).toBeNull();
    expect(await leftovers(scene)).toBe(NOTHING);
  });

  it("says so when it takes too long, and goes on", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const release = scene.runtime.hold("removeNetwork");
    const seen = watch(supervisor.remove(LANE.id, { waitMs: 2500 }));
    await scene.clock.advance(2600);
    expect(seen.error).toMatchObject({ code: "timeout", hint: expect.any(String) });
    release();
    await scene.clock.advance(10);
    expect(supervisor.findLane(LANE.id)).toBeNull();
    expect(await leftovers(scene)).toBe(NOTHING);
  });

  it("is not undone by what is asked for meanwhile", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const release = scene.runtime.hold("removeVolume");
    const seen = watch(supervisor.remove(LANE.id, WAIT));
    await scene.clock.advance(100);
    const refused = { code: "lane.not_found" };
    await expect(supervisor.ensure(LANE.id, WAIT)).rejects.toMatchObject(refused);
    await expect(supervisor.stop(LANE.id, WAIT)).rejects.toMatchObject(refused);
    await expect(supervisor.recreate(LANE.id, { ...WAIT, now: true, kind: "restart" })).rejects.toMatchObject(refused);
    release();
    await scene.clock.advance(1000);
    expect(seen.error).toBeNull();
    expect(await leftovers(scene)).toBe(NOTHING);
  });
});
