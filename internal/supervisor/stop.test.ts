import { describe, expect, it } from "vitest";
import { createScene, engineError, LANE, leftovers, ONE_LANE_UP, type Scene, watch } from "./testing.ts";

const WAIT = { waitMs: 120_000 };

const deaths = (scene: Scene) => scene.desk.said.filter((said) => said.startsWith("dead"));

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
