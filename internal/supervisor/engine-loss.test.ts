import { describe, expect, it } from "vitest";
import { createScene, engineError, LANE, leftovers, NAMES, ONE_LANE_UP } from "./testing.ts";

describe("an engine that goes away", () => {
  it("makes a lane unknown; nothing is attempted until it is back, and the link is kept", async () => {
    const scene = createScene();
    await scene.up();
    const { id } = scene.container;
    const mark = scene.runtime.calls.length;
    scene.runtime.setUnavailable("it was stopped");
    await scene.reach("unknown", 6000);
    expect(scene.state).toMatchObject({ cause: { code: "engine.unavailable", message: "it was stopped" } });
    expect(scene.desk.open(LANE.id)).toBe(false);
    const fired = scene.clock.fired;
    await scene.clock.advance(600_000);
    expect(scene.mutations(mark)).toEqual([]);
    expect(scene.runtime.calls.length - mark).toBeLessThan(200);
    // It is looked for every 5 s, and the worker is asked every 4 s.
    expect(scene.clock.fired - fired).toBeLessThan(600_000 / 5000 + 600_000 / 4000 + 10);
    scene.runtime.setUnavailable(null);
    await scene.reach("ready", 6000);
    expect(scene.mutations(mark)).toEqual([]);
    expect(scene.state).toMatchObject({ generation: 1, containerId: id });
    expect(scene.workers.opened).toBe(1);
    expect(scene.desk.said).toEqual(["pause", "attach 1", "resume", "pause", "resume"]);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
    expect(scene.errors).toEqual([]);
  });

  it("and is back at once costs no lane its state", async () => {
    const scene = createScene();
    await scene.up();
    await scene.clock.advance(2000);
    scene.runtime.setUnavailable("restarting");
    scene.runtime.setUnavailable(null);
    await scene.clock.advance(10_000);
    expect(scene.events()).toBe("create created started proven");
  });

  it("while a worker dies: death is told when it can be proven, not before", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.setUnavailable("it was stopped");
    await scene.reach("unknown", 6000);
    scene.die(137);
    await scene.clock.advance(60_000);
    expect(scene.state.phase).toBe("unknown");
    expect(scene.desk.said).not.toContain("dead 1");
    scene.runtime.setUnavailable(null);
    await scene.reach("ready", 10_000);
    expect(scene.desk.said).toContain("dead 1");
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("while the container is removed and its process lives on: nothing is made until that has gone", async () => {
    const scene = createScene();
    await scene.up();
    const { pid } = scene.container;
    scene.runtime.setUnavailable("it was stopped");
    await scene.reach("unknown", 6000);
    scene.host.lingering.set(pid, scene.host.startTime(pid) ?? 0);
    scene.runtime.vanish(NAMES.container);
    scene.workers.follow();
    scene.runtime.setUnavailable(null);
    await scene.clock.advance(30_000);
    expect(scene.workers.starts).toHaveLength(1);
    expect(scene.desk.said).not.toContain("dead 1");
    scene.host.lingering.clear();
    await scene.reach("ready", 6000);
    expect(scene.desk.said.filter((said) => said === "dead 1")).toHaveLength(1);
    expect([scene.falseDeaths, scene.doubles]).toEqual([[], []]);
  });

  it("while the link breaks: it is opened anew when the engine is back", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.setUnavailable("it was stopped");
    await scene.reach("unknown", 6000);
    scene.supervisor.dropLink(LANE.id, "cut");
    await scene.clock.advance(300_000);
    scene.runtime.setUnavailable(null);
    await scene.reach("ready", 6000);
    expect(scene.workers.starts).toHaveLength(1);
    expect(scene.workers.openLinks()).toHaveLength(1);
  });

  it("amid a start: the container is adopted, not made twice", async () => {
    const scene = createScene();
    scene.workers.script = () => ({ opensAfterMs: 20_000 });
    scene.begin();
    await scene.reach("probing", 1000);
    await scene.clock.advance(2000);
    scene.runtime.setUnavailable("it was stopped");
    await scene.reach("unknown", 6000);
    await scene.clock.advance(30_000);
    scene.runtime.setUnavailable(null);
    await scene.reach("ready", 10_000);
    expect(scene.workers.starts).toHaveLength(1);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("while a job runs on a drifted lane: the job is heard again", async () => {
    const scene = createScene();
    await scene.up();
    scene.desk.jobs.add(LANE.id);
    scene.supervisor.patch(LANE.id, { ...LANE.settings, env: { NEW: "1" } });
    await scene.reach("draining", 100);
    scene.runtime.setUnavailable("it was stopped");
    await scene.reach("unknown", 6000);
    scene.supervisor.dropLink(LANE.id, "cut");
    scene.runtime.setUnavailable(null);
    await scene.reach("draining", 6000);
    expect(scene.workers.openLinks()).toHaveLength(1);
    expect(scene.workers.starts).toHaveLength(1);
  });

  it("does not make a failed lane unknown", async () => {
    const scene = createScene();
    scene.runtime.removePath(LANE.worktree);
    scene.begin();
    await scene.reach("failed", 1000);
    scene.runtime.setUnavailable("it was stopped");
    await scene.clock.advance(60_000);
    expect(scene.state.phase).toBe("failed");
  });

  it("is not taken for gone because it cannot show an image", async () => {
    const scene = createScene();
    await scene.up();
    for (let i = 0; i < 20; i++) scene.runtime.failNext("findImage", engineError("engine.request_failed"));
    await scene.clock.advance(60_000);
    expect(scene.runtime.calls.filter((call) => call.method === "facts")).toHaveLength(1);
    expect(scene.events()).toBe("create created started proven");
  });

  it("is looked for less and less often, every 5 s at last", async () => {
    const scene = createScene();
    scene.runtime.setUnavailable("not installed");
    scene.begin();
    await scene.reach("unknown", 1000);
    await scene.clock.advance(60_000);
    const mark = scene.runtime.calls.length;
    await scene.clock.advance(60_000);
    expect(scene.runtime.calls.length - mark).toBe(12);
    scene.runtime.setUnavailable(null);
    await scene.reach("ready", 6000);
    expect(scene.events()).toBe("engine_lost engine_back create created started proven");
  });

  it("keeps nobody waiting: ensure says that the state is unknown", async () => {
    const scene = createScene();
    scene.runtime.setUnavailable("not installed");
    const supervisor = scene.begin();
    const asked = supervisor.ensure(LANE.id, { waitMs: 120_000 });
    await scene.clock.advance(1000);
    expect((await asked).state.phase).toBe("unknown");
  });
});
