import { describe, expect, it } from "vitest";
import { type AgentSpec, DEFAULT_SETTINGS, type DriftPolicy, type LaneSettings } from "../lane/index.ts";
import { TEST_AGENT } from "../reconcile/testing.ts";
import { createScene, IMAGE, LANE, leftovers, ONE_LANE_UP, type Scene } from "./testing.ts";

const settings = (drift: DriftPolicy, env: LaneSettings["env"] = {}): LaneSettings => ({
  ...DEFAULT_SETTINGS,
  drift,
  env,
});

/** A ready lane with that policy, whose settings have just moved. */
async function drifted(drift: DriftPolicy, opts: { readonly busy: boolean }): Promise<Scene> {
  const scene = createScene({ lane: { settings: settings(drift) } });
  await scene.up();
  if (opts.busy) scene.desk.jobs.add(LANE.id);
  scene.supervisor.patch(LANE.id, settings(drift, { NEW: "1" }));
  await scene.clock.advance(1);
  return scene;
}

const endJob = (scene: Scene) => {
  scene.desk.jobs.clear();
  scene.supervisor.wake(LANE.id);
};

const held = (scene: Scene) => scene.history().filter((entry) => entry.event === "drift:held");

describe("drift of a lane that is recreated when idle", () => {
  it("recreates an idle lane at once, once", async () => {
    const scene = await drifted("when-idle", { busy: false });
    await scene.reach("ready", 1000);
    expect(scene.container.env.NEW).toBe("1");
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(scene.history().find((entry) => entry.event === "stop")?.cause).toEqual({
      code: "drift",
      message: "configuration drifted: env.NEW",
    });
    await scene.clock.advance(60_000);
    expect(scene.workers.starts).toHaveLength(2);
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toEqual([]);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("lets the running job end first, and nothing new begin", async () => {
    const scene = await drifted("when-idle", { busy: true });
    expect(scene.state.phase).toBe("draining");
    expect(scene.desk.open(LANE.id)).toBe(false);
    const mark = scene.runtime.calls.length;
    await scene.clock.advance(600_000);
    expect(scene.state.phase).toBe("draining");
    expect(scene.mutations(mark)).toEqual([]);
    endJob(scene);
    await scene.reach("ready", 1000);
    expect(scene.container.env.NEW).toBe("1");
    expect(scene.desk.open(LANE.id)).toBe(true);
  });

  it("takes jobs again when the settings are put back", async () => {
    const scene = await drifted("when-idle", { busy: true });
    scene.supervisor.patch(LANE.id, settings("when-idle"));
    await scene.reach("ready", 100);
    expect(scene.workers.starts).toHaveLength(1);
    expect(scene.desk.open(LANE.id)).toBe(true);
  });

  it("takes jobs again when the drift is to be held", async () => {
    const scene = await drifted("when-idle", { busy: true });
    scene.supervisor.patch(LANE.id, settings("hold", { NEW: "1" }));
    await scene.reach("ready", 100);
    endJob(scene);
    await scene.clock.advance(60_000);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1 });
    expect(scene.desk.open(LANE.id)).toBe(true);
  });

  it("hears of the job's end although the link breaks meanwhile", async () => {
    const scene = await drifted("when-idle", { busy: true });
    scene.supervisor.dropLink(LANE.id, "cut");
    await scene.clock.advance(2000);
    expect(scene.state.phase).toBe("draining");
    expect(scene.workers.openLinks()).toHaveLength(1);
    expect(scene.workers.starts).toHaveLength(1);
  });

  it("replaces a worker that hangs amid its job", async () => {
    const scene = await drifted("when-idle", { busy: true });
    scene.workers.frozen = true;
    await scene.clock.until(() => scene.runtime.containers().length === 0, 70_000);
    scene.workers.frozen = false;
    await scene.reach("ready");
    expect(scene.desk.said).toContain("dead 1");
    expect(scene.history().find((entry) => entry.event === "stop")?.cause?.code).toBe("hung");
  });

  it("of the image is noticed by itself: its tag was moved", async () => {
    const scene = createScene();
    await scene.up();
    const moved = "b".repeat(64);
    scene.runtime.images.set(IMAGE.reference, moved);
    await scene.clock.until(() => scene.state.phase === "ready" && scene.state.generation === 2, 6000);
    expect(scene.container.imageId).toBe(moved);
  });

  it("of an agent: the version in use is another one, or none", async () => {
    let agents: readonly AgentSpec[] = [TEST_AGENT];
    const scene = createScene({ agents: () => agents });
    await scene.up();
    const mounted = () => scene.container.mounts.find(({ target }) => target === TEST_AGENT.target);
    expect(mounted()).toEqual({ kind: "bind", source: TEST_AGENT.hostPath, target: TEST_AGENT.target, readOnly: true });
    const drifts: (readonly [agents: readonly AgentSpec[], parts: string])[] = [
      [[{ ...TEST_AGENT, sha256: "5".repeat(64) }], "agents.[claude].sha256"],
      [[{ ...TEST_AGENT, version: "1.1.0", hostPath: "/data/agents/claude/1.1.0/tree" }], "agents.[claude].version"],
      [[], "agents.[claude].agent"],
    ];
    for (const [generation, [next, field]] of drifts.entries()) {
      agents = next;
      await scene.clock.until(() => scene.state.phase === "ready" && scene.state.generation === generation + 2, 6000);
      expect(scene.history().findLast((entry) => entry.event === "stop")?.cause?.message).toContain(field);
      expect(mounted()?.source).toBe(next[0]?.hostPath);
    }
  });

  it("made by hand on the container is mended", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.alter(scene.container.id, { memoryBytes: 1 });
    scene.supervisor.wake(LANE.id);
    await scene.clock.until(() => scene.state.phase === "ready" && scene.state.generation === 2, 1000);
    expect(scene.container.memoryBytes).not.toBe(1);
  });
});

describe("drift of a lane that is recreated now", () => {
  it("does not wait for the running job", async () => {
    const scene = await drifted("now", { busy: true });
    await scene.reach("ready", 100);
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(scene.desk.said).toContain("dead 1");
    expect(scene.falseDeaths).toEqual([]);
  });
});

describe("drift of a lane that holds", () => {
  it("is told once and changes nothing", async () => {
    const scene = await drifted("hold", { busy: false });
    const mark = scene.runtime.calls.length;
    for (let i = 0; i < 20; i++) {
      await scene.clock.advance(10_000);
      scene.supervisor.wake(LANE.id);
    }
    expect(held(scene)).toHaveLength(1);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1 });
    expect(scene.mutations(mark)).toEqual([]);
    expect(scene.supervisor.view(LANE.id).drift).toEqual([{ part: "env", field: "NEW", was: null, is: "1" }]);
  });

  it("is told again when it becomes another one, or comes back", async () => {
    const scene = await drifted("hold", { busy: false });
    for (const env of [{ NEW: "2" }, {}, { NEW: "2" }] as LaneSettings["env"][]) {
      scene.supervisor.patch(LANE.id, settings("hold", env));
      await scene.clock.advance(10_000);
    }
    expect(held(scene)).toHaveLength(3);
  });

  it("is carried out on request", async () => {
    const scene = await drifted("hold", { busy: false });
    const done = scene.supervisor.recreate(LANE.id, { waitMs: 60_000, now: false, kind: "recreate" });
    await scene.clock.advance(1000);
    expect((await done).state).toMatchObject({ phase: "ready", generation: 2 });
    expect(scene.container.env.NEW).toBe("1");
  });

  it("does not keep a lost link from being opened anew", async () => {
    const scene = await drifted("hold", { busy: false });
    scene.supervisor.dropLink(LANE.id, "cut");
    await scene.clock.advance(1000);
    expect(scene.state.phase).toBe("ready");
    expect(scene.workers.openLinks()).toHaveLength(1);
  });
});

describe("a spec that cannot be built", () => {
  it.each<DriftPolicy>(["when-idle", "now", "hold"])("keeps a lane that works (%s)", async (policy) => {
    const scene = createScene({ lane: { settings: settings(policy) } });
    await scene.up();
    scene.runtime.images.clear();
    scene.supervisor.patch(LANE.id, settings(policy, { NEW: "1" }));
    scene.runtime.alter(scene.container.id, { memoryBytes: 1 });
    const mark = scene.runtime.calls.length;
    await scene.clock.advance(60_000);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1 });
    expect(scene.mutations(mark)).toEqual([]);
  });

  it("keeps it also when its recreation is asked for, and says so once", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.images.clear();
    void scene.supervisor.recreate(LANE.id, { waitMs: 100, now: true, kind: "recreate" });
    for (let i = 0; i < 10; i++) {
      await scene.clock.advance(1000);
      scene.supervisor.wake(LANE.id);
    }
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1 });
    expect(held(scene).map((entry) => entry.cause?.code)).toEqual(["engine.image_missing"]);
    scene.supervisor.dropLink(LANE.id, "cut");
    await scene.clock.advance(2000);
    expect(scene.state.phase).toBe("ready");
    scene.runtime.images.set(IMAGE.reference, IMAGE.id);
    scene.supervisor.wake(LANE.id);
    await scene.clock.until(() => scene.state.phase === "ready" && scene.state.generation === 2, 1000);
  });

  it("keeps it also when its monitor is dead", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.images.clear();
    scene.runtime.loseMonitor(scene.container.id);
    await scene.clock.advance(20_000);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1 });
  });

  it("lets a draining lane take jobs again", async () => {
    const scene = await drifted("when-idle", { busy: true });
    scene.runtime.images.clear();
    scene.supervisor.wake(LANE.id);
    await scene.reach("ready", 100);
    expect(scene.desk.open(LANE.id)).toBe(true);
  });
});
