import { describe, expect, it } from "vitest";
import { TEST_INSTALL } from "../reconcile/testing.ts";
import { createScene, engineError, LANE, leftovers, ONE_LANE_UP, type Scene, watch } from "./testing.ts";

const WAIT = { waitMs: 120_000 };

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
