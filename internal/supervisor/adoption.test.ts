import { describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS } from "../lane/index.ts";
import { createScene, LANE, leftovers, NAMES, ONE_LANE_UP, type Scene } from "./testing.ts";

/** A lane that is up, under a daemon that has just started. */
async function restarted(before: (scene: Scene) => void = () => undefined): Promise<{ scene: Scene; mark: number }> {
  const scene = createScene();
  await scene.up();
  before(scene);
  scene.life.kill();
  const mark = scene.runtime.calls.length;
  scene.begin();
  return { scene, mark };
}

const deaths = (scene: Scene) => scene.desk.said.filter((said) => said.startsWith("dead"));

describe("a daemon that starts", () => {
  it("adopts what runs and matches, without touching it", async () => {
    const { scene, mark } = await restarted();
    const { id } = scene.container;
    await scene.reach("ready", 100);
    await scene.clock.advance(60_000);
    expect(scene.mutations(mark)).toEqual([]);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1, containerId: id });
    expect(scene.events()).toBe("create created started proven adopted proven");
    expect(scene.desk.open(LANE.id)).toBe(true);
    expect(deaths(scene)).toEqual([]);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("adopts a worker that is silent at first, without touching it", async () => {
    const { scene, mark } = await restarted((s) => {
      s.workers.frozen = true;
    });
    await scene.clock.advance(50_000);
    expect(scene.state.phase).toBe("probing");
    scene.workers.frozen = false;
    await scene.reach("ready", 5000);
    expect(scene.mutations(mark)).toEqual([]);
  });

  it("takes up a running job although the lane has drifted, and recreates it afterwards", async () => {
    const { scene, mark } = await restarted((s) => {
      s.desk.jobs.add(LANE.id);
      s.store.updateLane(LANE.id, { settings: { ...DEFAULT_SETTINGS, env: { NEW: "1" } } });
    });
    await scene.reach("draining", 5000);
    expect(scene.workers.openLinks()).toHaveLength(1);
    await scene.clock.advance(600_000);
    expect(scene.mutations(mark)).toEqual([]);
    scene.desk.jobs.clear();
    scene.supervisor.wake(LANE.id);
    await scene.reach("ready", 5000);
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(scene.container.env.NEW).toBe("1");
  });

  it("takes up a running job although its monitor is dead", async () => {
    const { scene, mark } = await restarted((s) => {
      s.desk.jobs.add(LANE.id);
      s.runtime.loseMonitor(s.container.id);
    });
    await scene.reach("draining", 5000);
    expect(scene.workers.openLinks()).toHaveLength(1);
    expect(scene.mutations(mark)).toEqual([]);
    scene.desk.jobs.clear();
    scene.supervisor.wake(LANE.id);
    await scene.reach("ready", 5000);
    expect(scene.state).toMatchObject({ generation: 2 });
  });

  it("goes on with a stop that waited for the running job", async () => {
    const { scene, mark } = await restarted((s) => {
      s.desk.jobs.add(LANE.id);
      s.store.updateLane(LANE.id, { desired: "stopped" });
    });
    await scene.reach("draining", 5000);
    expect(scene.workers.openLinks()).toHaveLength(1);
    await scene.clock.advance(29_000);
    expect(scene.mutations(mark)).toEqual([]);
    await scene.reach("stopped", 2000);
    expect(deaths(scene)).toEqual(["dead 1"]);
  });

  it("replaces a container of an older generation", async () => {
    const { scene } = await restarted((s) => {
      const record = s.store.findGeneration(LANE.id, 1);
      if (record) s.store.beginGeneration(LANE.id, record.spec, record.fingerprint, 0);
    });
    const { id } = scene.container;
    await scene.reach("ready", 100);
    expect(scene.container.id).not.toBe(id);
    expect(scene.state).toMatchObject({ generation: 3 });
    expect(scene.history().find((entry) => entry.event === "stop")?.cause?.code).toBe("stale_generation");
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("makes a lane anew whose worker it can never prove again", async () => {
    const { scene } = await restarted((s) => s.boot.secrets.clear());
    await scene.reach("backoff", 100);
    expect(scene.state).toMatchObject({ cause: { code: "worker.refused" } });
    await scene.reach("ready", 2000);
    expect(scene.state).toMatchObject({ generation: 2 });
  });

  it("after a reboot: tells what is dead, and has all lanes up within a minute", async () => {
    const scene = createScene();
    for (let i = 0; i < 7; i++) scene.store.insertLane({ ...LANE, id: `more-${i}`, name: `more-${i}` });
    const allReady = () => scene.supervisor.list().every((view) => view.state.phase === "ready");
    scene.begin();
    await scene.clock.until(allReady, 60_000);
    scene.life.kill();
    for (const container of scene.runtime.containers()) scene.runtime.die(container.id, 137);
    scene.begin();
    await scene.clock.until(allReady, 60_000);
    expect(deaths(scene)).toHaveLength(8);
    expect(scene.falseDeaths).toEqual([]);
    expect(await leftovers(scene)).toBe("containers 8, networks 8, volumes 8, folders 8, processes 16, links 8");
  });

  it("leaves a stopped lane stopped, and tells that what ran there is dead", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    void supervisor.stop(LANE.id, { waitMs: 60_000 });
    await scene.reach("stopped");
    const mark = scene.runtime.calls.length;
    scene.begin();
    await scene.reach("stopped", 1000);
    await scene.clock.advance(60_000);
    expect(scene.mutations(mark)).toEqual([]);
    expect(deaths(scene)).toEqual(["dead 1", "dead 1"]);
  });
});

describe("a container that is not ours", () => {
  it("with the lane's name is left alone; the lane says what to do", async () => {
    const scene = createScene();
    const other = createScene();
    await other.up();
    const foreign = { ...other.container, rawLabels: { "io.lanekeeper.install": "another" }, labels: null };
    scene.runtime.addContainer(foreign);
    scene.begin();
    await scene.reach("failed", 1000);
    await scene.clock.advance(600_000);
    expect(scene.state).toMatchObject({ cause: { code: "lane.foreign_container", hint: expect.any(String) } });
    expect(scene.mutations()).toEqual([]);
    expect(scene.container).toEqual(foreign);
    scene.runtime.vanish(NAMES.container);
    void scene.supervisor.startLane(LANE.id, { waitMs: 0 });
    await scene.reach("ready", 1000);
  });

  it("is no reason to try again and again, although the settings have changed meanwhile", async () => {
    const scene = createScene();
    await scene.up();
    scene.life.kill();
    const labels = { labels: null, rawLabels: { "io.lanekeeper.install": "another" } };
    const foreign = { ...scene.container, ...labels };
    scene.runtime.vanish(NAMES.container);
    scene.runtime.addContainer(foreign);
    scene.store.updateLane(LANE.id, { settings: { ...DEFAULT_SETTINGS, env: { NEW: "1" } } });
    scene.begin();
    await scene.reach("failed", 1000);
    const events = scene.events();
    await scene.clock.advance(60_000);
    expect(scene.events()).toBe(events);
  });

  it("with another name is never touched", async () => {
    const scene = createScene();
    const other = createScene();
    await other.up();
    const labels = { labels: null, rawLabels: { "io.lanekeeper.install": "another" } };
    const canary = { ...other.container, ...labels, name: "canary", networks: [], mounts: [] };
    scene.runtime.addContainer(canary);
    await scene.up();
    scene.die(1);
    await scene.clock.advance(600_000);
    void scene.supervisor.remove(LANE.id, { waitMs: 1000 });
    await scene.clock.advance(600_000);
    expect(scene.runtime.containers()).toEqual([canary]);
    expect(scene.runtime.calls.filter((call) => call.target === canary.id || call.target === "canary")).toEqual([]);
  });
});
