import { describe, expect, it } from "vitest";
import { createScene, IMAGE, LANE, leftovers, NAMES, ONE_LANE_UP } from "./testing.ts";

describe("creating a lane's container", () => {
  it("goes by create, created, started, proven, and ends ready with a link", async () => {
    const scene = createScene();
    await scene.up();
    expect(scene.events()).toBe("create created started proven");
    expect(scene.history().map((entry) => `${entry.from} ${entry.to} ${entry.generation}`)).toEqual([
      "absent creating 1",
      "creating starting 1",
      "starting probing 1",
      "probing ready 1",
    ]);
    const { container } = scene;
    expect(scene.state).toMatchObject({
      phase: "ready",
      generation: 1,
      containerId: container.id,
      endpoint: `http://127.0.0.1:${container.ports[0]?.hostPort}`,
      workerPid: 2,
    });
    expect(container).toMatchObject({ name: NAMES.container, imageId: IMAGE.id, status: "running" });
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
    expect(scene.errors).toEqual([]);
  });

  it("puts the generation on record and stages its folder before anything is created", async () => {
    const scene = createScene();
    await scene.up();
    const order = scene.life.calls.filter((call) => /beginGeneration|stage|ensure|create|start/.test(call));
    expect(order).toEqual([
      "store.beginGeneration",
      "boot.stage",
      "runtime.ensureNetwork",
      "runtime.ensureVolume",
      "runtime.createContainer",
      "runtime.startContainer",
    ]);
    const [record] = scene.store.generations;
    expect(record).toMatchObject({ laneId: LANE.id, generation: 1 });
    expect(scene.container.labels).toMatchObject({ generation: 1, fingerprint: record?.fingerprint });
  });

  it("lets jobs in when it is ready, and not before", async () => {
    const scene = createScene();
    await scene.up();
    expect(scene.desk.said).toEqual(["pause", "attach 1", "resume"]);
  });
});
