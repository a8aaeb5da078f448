import { describe, expect, it } from "vitest";
import { TEST_INSTALL } from "../reconcile/testing.ts";
import { createScene, engineError, LANE, leftovers, NOTHING, ONE_LANE_UP, type Scene } from "./testing.ts";

const WAIT = { waitMs: 120_000 };

/** What a promise has come to, looked at without waiting for it. */
function watch<T>(promise: Promise<T>): { value: T | null; error: unknown } {
  const seen: { value: T | null; error: unknown } = { value: null, error: null };
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}

const deaths = (scene: Scene) => scene.desk.said.filter((said) => said.startsWith("dead"));

describe("ensure", () => {
  it("twenty times at once makes one container, and answers all", async () => {
    const scene = createScene();
    scene.workers.script = () => ({ opensAfterMs: 5000 });
    const supervisor = scene.begin();
    const asked = Array.from({ length: 20 }, () => supervisor.ensure(LANE.id, WAIT));
    await scene.reach("ready");
    const views = await Promise.all(asked);
    expect(views.map((view) => view.state.phase)).toEqual(Array(20).fill("ready"));
    expect(scene.mutations().filter((method) => method === "createContainer")).toHaveLength(1);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("answers at once about a lane that answers", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const mark = scene.runtime.calls.length;
    const seen = watch(supervisor.ensure(LANE.id, WAIT));
    await scene.clock.advance(0);
    expect(seen.value?.state.phase).toBe("ready");
    expect(scene.runtime.calls.length).toBe(mark);
  });

  it("answers with the failure of a lane that fails", async () => {
    const scene = createScene();
    scene.runtime.images.clear();
    const supervisor = scene.begin();
    const seen = watch(supervisor.ensure(LANE.id, WAIT));
    await scene.clock.advance(1000);
    expect(seen.value?.state).toMatchObject({ phase: "failed", cause: { code: "engine.image_missing" } });
  });

  it("waits no longer than it is told to, and not at all with 0", async () => {
    const scene = createScene();
    scene.workers.script = () => ({ opensAfterMs: 60_000 });
    const supervisor = scene.begin();
    const [later, now] = [
      watch(supervisor.ensure(LANE.id, { waitMs: 5000 })),
      watch(supervisor.ensure(LANE.id, { waitMs: 0 })),
    ];
    await scene.clock.advance(0);
    expect(now.value).not.toBeNull();
    await scene.clock.advance(4900);
    expect(later.value).toBeNull();
    await scene.clock.advance(200);
    expect(later.value?.state.phase).toBe("probing");
  });

  it("of a lane that nobody knows is refused", async () => {
    const scene = createScene();
    await expect(scene.begin().ensure("nobody", WAIT)).rejects.toMatchObject({ code: "lane.not_found" });
  });
});

describe("stop", () => {
  it("answers when death is proven, and keeps the container", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const { pid } = scene.container;
    scene.host.lingering.set(pid, scene.host.startTime(pid) ?? 0);
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.clock.advance(900);
    expect(scene.container.status).toBe("exited");
    expect(scene.state.phase).toBe("stopping");
    expect(seen.value).toBeNull();
    expect(deaths(scene)).toEqual([]);
    scene.host.lingering.clear();
    await scene.clock.advance(100);
    expect(seen.value?.state.phase).toBe("stopped");
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.desk.open(LANE.id)).toBe(false);
    await scene.clock.advance(600_000);
    expect(scene.container.status).toBe("exited");
    expect(scene.events()).toBe("create created started proven stop stopped");
    expect(scene.falseDeaths).toEqual([]);
  });

  it("gives the running job 30 s", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    scene.desk.jobs.add(LANE.id);
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.clock.advance(29_900);
    expect(scene.state.phase).toBe("draining");
    await scene.clock.advance(200);
    expect(seen.value?.state.phase).toBe("stopped");
  });

  it("is carried out at once when the job ends", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    scene.desk.jobs.add(LANE.id);
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.clock.advance(3000);
    scene.desk.jobs.clear();
    supervisor.wake(LANE.id);
    await scene.clock.advance(10);
    expect(seen.value?.state.phase).toBe("stopped");
  });

  it.each([
    ["cannot be stopped, as its monitor is dead", (scene: Scene) => scene.runtime.loseMonitor(scene.container.id)],
    ["is paused", (scene: Scene) => scene.runtime.pause(scene.container.id)],
  ])("removes a container that %s", async (_what, hurt) => {
    const scene = createScene();
    const supervisor = await scene.up();
    scene.onEvent = () => undefined;
    hurt(scene);
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.clock.advance(2000);
    expect(seen.value?.state.phase).toBe("absent");
    expect(scene.runtime.containers()).toEqual([]);
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.falseDeaths).toEqual([]);
  });

  it("tells of a death that it did not cause", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    scene.desk.jobs.add(LANE.id);
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.reach("draining", 100);
    scene.die(1);
    await scene.clock.advance(5000);
    expect(seen.value?.state.phase).toBe("stopped");
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.errors).toEqual([]);
  });

  it("tells of the death although the engine could not show it at first", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    await scene.clock.advance(1000);
    const release = scene.runtime.hold("stopContainer");
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.reach("stopping", 100);
    scene.runtime.failNext("inspectContainer", engineError("engine.request_failed"));
    release();
    await scene.clock.advance(5000);
    expect(seen.value?.state.phase).toBe("stopped");
    expect(deaths(scene)).toEqual(["dead 1"]);
  });

  it.each(["slow", "failing"])("ends a %s start", async (manner) => {
    const scene = createScene();
    scene.workers.script = () =>
      manner === "slow" ? { opensAfterMs: 100_000 } : { exitsAfterMs: 200, opensAfterMs: 1000 };
    const supervisor = scene.begin();
    await scene.reach("probing", 1000);
    await scene.clock.advance(100);
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.clock.advance(1500);
    expect(["stopped", "absent"]).toContain(seen.value?.state.phase);
    await scene.clock.advance(600_000);
    expect([...scene.runtime.processes]).toEqual([]);
    expect(["stopped", "absent"]).toContain(scene.state.phase);
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toEqual([]);
  });

  it("ends the backoff too", async () => {
    const scene = createScene();
    scene.workers.script = () => ({ exitsAfterMs: 0 });
    const supervisor = scene.begin();
    await scene.reach("backoff", 1000);
    const seen = watch(supervisor.stop(LANE.id, WAIT));
    await scene.clock.advance(10);
    expect(seen.value?.state.phase).toBe("absent");
    await scene.clock.advance(600_000);
    expect(scene.workers.starts).toHaveLength(1);
  });
});

describe("a lane that was stopped", () => {
  async function stopped(): Promise<Scene> {
    const scene = createScene();
    const supervisor = await scene.up();
    void supervisor.stop(LANE.id, WAIT);
    await scene.reach("stopped", 1000);
    return scene;
  }

  it("is started where it is when nothing has changed", async () => {
    const scene = await stopped();
    const { id } = scene.container;
    const seen = watch(scene.supervisor.ensure(LANE.id, WAIT));
    await scene.clock.advance(1000);
    expect(seen.value?.state).toMatchObject({ phase: "ready", generation: 1, containerId: id });
    expect(scene.desk.open(LANE.id)).toBe(true);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("is made anew with other settings", async () => {
    const scene = await stopped();
    scene.supervisor.patch(LANE.id, { ...LANE.settings, env: { NEW: "1" } });
    void scene.supervisor.ensure(LANE.id, WAIT);
    await scene.reach("ready", 1000);
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(scene.workers.starts.map((start) => start.generation)).toEqual([1, 2]);
  });

  it("is made anew by recreate, without a start of the old container", async () => {
    const scene = await stopped();
    const seen = watch(scene.supervisor.recreate(LANE.id, { ...WAIT, now: false, kind: "recreate" }));
    await scene.clock.advance(1000);
    expect(seen.value?.state).toMatchObject({ phase: "ready", generation: 2 });
    expect(scene.workers.starts.map((start) => start.generation)).toEqual([1, 2]);
  });

  it("gets another port when its own was taken meanwhile", async () => {
    const scene = await stopped();
    scene.runtime.occupyPort(40_000);
    void scene.supervisor.ensure(LANE.id, WAIT);
    await scene.reach("ready", 1000);
    expect(scene.container.ports[0]?.hostPort).toBe(40_001);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });
});

describe("recreate", () => {
  it.each(["recreate", "restart"] as const)("(%s) replaces an idle lane at once", async (kind) => {
    const scene = createScene();
    const supervisor = await scene.up();
    const seen = watch(supervisor.recreate(LANE.id, { ...WAIT, now: false, kind }));
    await scene.clock.advance(100);
    expect(seen.value?.state).toMatchObject({ phase: "ready", generation: 2 });
    expect(scene.history().find((entry) => entry.event === "stop")?.cause?.code).toBe(`user_${kind}`);
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toEqual([]);
    await scene.clock.advance(60_000);
    expect(scene.workers.starts).toHaveLength(2);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("waits for the running job, unless it is to be now", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    scene.desk.jobs.add(LANE.id);
    const seen = watch(supervisor.recreate(LANE.id, { ...WAIT, now: false, kind: "recreate" }));
    await scene.clock.advance(60_000);
    expect(seen.value).toBeNull();
    expect(scene.state).toMatchObject({ phase: "draining", generation: 1 });
    void supervisor.recreate(LANE.id, { ...WAIT, now: true, kind: "recreate" });
    await scene.clock.advance(100);
    expect(seen.value?.state).toMatchObject({ phase: "ready", generation: 2 });
  });

  it("is carried out although the removal fails at first", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    scene.runtime.failNext("removeContainer", engineError("engine.request_failed"));
    const seen = watch(supervisor.recreate(LANE.id, { ...WAIT, now: true, kind: "recreate" }));
    await scene.clock.advance(3000);
    expect(seen.value?.state).toMatchObject({ phase: "ready", generation: 2 });
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toEqual([]);
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("does not wait for a start that is under way", async () => {
    const scene = createScene();
    scene.workers.script = (generation) => (generation === 1 ? { opensAfterMs: 100_000 } : {});
    const supervisor = scene.begin();
    await scene.reach("probing", 1000);
    const seen = watch(supervisor.recreate(LANE.id, { ...WAIT, now: true, kind: "recreate" }));
    await scene.clock.advance(2000);
    expect(seen.value?.state).toMatchObject({ phase: "ready", generation: 2 });
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("is forgotten when the lane is stopped before it was carried out", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    scene.desk.jobs.add(LANE.id);
    void supervisor.recreate(LANE.id, { ...WAIT, now: false, kind: "recreate" });
    await scene.reach("draining", 100);
    scene.desk.jobs.clear();
    void supervisor.stop(LANE.id, WAIT);
    await scene.reach("stopped", 1000);
    void supervisor.ensure(LANE.id, WAIT);
    await scene.reach("ready", 1000);
    await scene.clock.advance(10_000);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1 });
  });
});

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

describe("add, plan, close", () => {
  it("takes a new lane into care", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const second = { ...LANE, id: "second-0123456789", name: "second", worktree: "/home/u/second" };
    scene.store.insertLane(second);
    supervisor.add(second);
    await scene.clock.until(() => supervisor.view(second.id).state.phase === "ready", 1000);
    expect(supervisor.list().map((view) => view.lane.name)).toEqual(["demo", "second"]);
    expect(scene.runtime.containers().map((c) => c.name)).toContain(`lane-${TEST_INSTALL.install}-${second.id}`);
  });

  it("says what would be done, and does nothing", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const [mark, events] = [scene.runtime.calls.length, scene.events()];
    const ops = async (intent: Parameters<typeof supervisor.plan>[1]) =>
      (await supervisor.plan(LANE.id, intent, {})).steps.map((step) => step.op).join(" ");
    expect(await ops("ensure")).toBe("");
    expect(await ops("stop")).toBe("stop");
    expect(await ops("restart")).toBe("remove create start prove");
    expect(await ops("recreate")).toBe("remove create start prove");
    expect(await ops("remove")).toBe("remove dispose");
    await scene.clock.advance(10_000);
    expect(scene.mutations(mark)).toEqual([]);
    expect(scene.events()).toBe(events);
  });

  it.each<[string, number]>([
    ["a ready lane", 0],
    ["a lane amid its start", 100_000],
  ])("lets go of %s without touching it, and leaves no timer behind", async (_what, opensAfterMs) => {
    const scene = createScene();
    scene.workers.script = () => ({ opensAfterMs });
    const supervisor = scene.begin();
    await scene.reach(opensAfterMs ? "probing" : "ready", 1000);
    const asked = watch(supervisor.ensure(LANE.id, WAIT));
    const mark = scene.runtime.calls.length;
    const closed = watch(supervisor.close().then(() => "closed"));
    await scene.clock.advance(0);
    expect(closed.value).toBe("closed");
    expect(asked.value).not.toBeNull();
    expect(scene.clock.pending).toBe(0);
    expect(scene.mutations(mark)).toEqual([]);
    expect(scene.container.status).toBe("running");
    expect(scene.workers.openLinks()).toEqual([]);
    expect(scene.errors).toEqual([]);
  });
});
