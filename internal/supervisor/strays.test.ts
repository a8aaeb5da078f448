import { describe, expect, it } from "vitest";
import { toLabels } from "../lane/index.ts";
import { TEST_INSTALL, testSpec } from "../reconcile/testing.ts";
import { createScene, engineError, NAMES, type Scene } from "./testing.ts";

const HOUR_MS = 3_600_000;

/** Long after the daemon's start, when nothing has strayed yet. */
async function calm(): Promise<Scene> {
  const scene = createScene();
  await scene.up();
  await scene.clock.advance(120_000);
  return scene;
}

/** A container with our install id and a lane that is not on record. */
async function stray(scene: Scene): Promise<void> {
  const parts = {
    image: "1",
    worker: "2",
    mounts: "3",
    env: "4",
    network: "5",
    limits: "6",
    security: "7",
    agents: "8",
  };
  const labels = {
    install: TEST_INSTALL.install,
    workspace: "w",
    lane: "gone",
    generation: 1,
    fingerprint: "f",
    parts,
  };
  await scene.runtime.createContainer({ name: "lane-of-old", labels: toLabels(labels), spec: testSpec() }, {});
}

const names = (scene: Scene) => scene.runtime.containers().map((container) => container.name);
const sweeps = (scene: Scene, since: number) =>
  scene.runtime.calls.slice(since).filter((call) => call.method === "listNetworks").length;

describe("what strays", () => {
  it("is noticed with the next relist and removed after its grace, whenever it comes", async () => {
    const scene = await calm();
    await stray(scene);
    await scene.clock.advance(55_000);
    expect(names(scene)).toContain("lane-of-old");
    await scene.clock.advance(15_000);
    expect(names(scene)).toEqual([NAMES.container]);
  });

  it("is not looked for all the time: not when there is none, nor when it went by itself", async () => {
    const scene = await calm();
    const mark = scene.runtime.calls.length;
    await scene.clock.advance(HOUR_MS / 2);
    expect(sweeps(scene, mark)).toBe(0);
    await stray(scene);
    await scene.clock.advance(10_000);
    scene.runtime.vanish("lane-of-old");
    await scene.clock.advance(10_000);
    const later = scene.runtime.calls.length;
    await scene.clock.advance(HOUR_MS / 4);
    expect(sweeps(scene, later)).toBe(0);
  });

  it("is looked for again after the engine was away: a monitor that it forgot is ended", async () => {
    const scene = await calm();
    scene.runtime.setUnavailable("killed");
    await scene.clock.advance(10_000);
    scene.runtime.setUnavailable(null);
    await scene.clock.advance(10_000);
    scene.host.monitors.push({ pid: 7, startTime: 70, containerId: "forgotten", containerName: NAMES.container });
    await scene.clock.advance(120_000);
    expect(scene.host.reaped).toHaveLength(1);
  });

  it("is not the monitor of a foreign container, even of one with a lane's name", async () => {
    const scene = await calm();
    const name = `lane-${TEST_INSTALL.install}-theirs`;
    const { id } = await scene.runtime.createContainer({ name, labels: {}, spec: testSpec() }, {});
    scene.host.monitors.push({ pid: 7, startTime: 70, containerId: id, containerName: name });
    await stray(scene);
    await scene.clock.advance(200_000);
    expect(names(scene)).toEqual([NAMES.container, name]);
    expect(scene.host.reaped).toEqual([]);
  });

  it("and will not go costs no lane anything, nor the connection", async () => {
    const scene = await calm();
    await stray(scene);
    for (let i = 0; i < 5; i++) scene.runtime.failNext("removeContainer", engineError("engine.request_failed"));
    const [mark, calls] = [scene.history().length, scene.runtime.calls.length];
    await scene.clock.advance(120_000);
    expect(scene.history().slice(mark)).toEqual([]);
    expect(scene.runtime.calls.slice(calls).map((call) => call.method)).not.toContain("facts");
    expect(names(scene)).toEqual([NAMES.container]);
  });
});
