import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../base/index.ts";
import type { LanePhase } from "../lane/index.ts";
import type { LaneRuntime } from "./ports.ts";
import { createScene, engineError, IMAGE, LANE, leftovers, ONE_LANE_UP, type Scene } from "./testing.ts";

/** Nothing runs and nothing of a container is left; network, volume and folder are the next try's. */
async function expectNoContainer(scene: Scene): Promise<void> {
  expect(scene.runtime.containers()).toEqual([]);
  expect([...scene.runtime.processes]).toEqual([]);
  expect(scene.workers.openLinks()).toEqual([]);
}

const OUT: ReadonlySet<LanePhase> = new Set(["backoff", "failed", "ready"]);

/** Begins and waits until the first start has come to an end. */
async function firstOutcome(scene: Scene, withinMs = 200_000): Promise<void> {
  scene.begin();
  await scene.clock.until(() => OUT.has(scene.state.phase), withinMs);
}

/** Has the call fail that comes after the container was created. */
async function failAfterCreate(scene: Scene, method: keyof LaneRuntime, error: Error): Promise<void> {
  const release = scene.runtime.hold("createContainer");
  scene.begin();
  await scene.clock.until(() => scene.runtime.calls.some((call) => call.method === "createContainer"), 1000);
  scene.runtime.failNext(method, error);
  release();
  await scene.clock.until(() => OUT.has(scene.state.phase), 200_000);
}

describe("a start that fails", () => {
  it.each<[keyof LaneRuntime, ErrorCode]>([
    ["ensureNetwork", "engine.request_failed"],
    ["ensureVolume", "engine.request_failed"],
    ["createContainer", "engine.request_failed"],
    ["createContainer", "engine.conflict"],
    ["createContainer", "engine.bad_response"],
    ["startContainer", "engine.request_failed"],
    ["startContainer", "engine.not_found"],
    ["startContainer", "engine.conflict"],
  ])("at %s with %s waits a second without a container, then tries anew", async (method, code) => {
    const scene = createScene();
    scene.runtime.failNext(method, engineError(code));
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "backoff", failures: 1, cause: { code } });
    expect(scene.state).toMatchObject({ untilMs: scene.clock.nowMs() + 1000 });
    await expectNoContainer(scene);
    await scene.reach("ready", 1001);
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
    expect(scene.errors).toEqual([]);
  });

  it.each<[keyof LaneRuntime, ErrorCode]>([
    ["createContainer", "engine.image_missing"],
    ["createContainer", "engine.bad_mount"],
    ["startContainer", "engine.bad_mount"],
  ])("at %s with %s is failed at once, with the cause", async (method, code) => {
    const scene = createScene();
    scene.runtime.failNext(method, engineError(code));
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "failed", failures: 1, cause: { code } });
    expect(scene.store.loadMemory(LANE.id).failed?.cause.code).toBe(code);
    await expectNoContainer(scene);
    expect(scene.desk.open(LANE.id)).toBe(false);
  });

  it("leaves nothing behind when the engine cannot show what it has just created", async () => {
    const scene = createScene();
    await failAfterCreate(scene, "inspectContainer", engineError("engine.request_failed"));
    expect(scene.state).toMatchObject({ phase: "backoff", failures: 1, cause: { code: "engine.request_failed" } });
    await expectNoContainer(scene);
  });

  it("is cleaned away although the container's output cannot be read", async () => {
    const scene = createScene();
    scene.runtime.failNext("startContainer", engineError("engine.request_failed", "the start"));
    scene.runtime.failNext("containerLogs", engineError("engine.request_failed", "the logs"));
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "backoff", failures: 1, cause: { message: "the start" } });
    await expectNoContainer(scene);
    expect(scene.errors).toEqual([]);
  });

  it("counts once, with its own cause, when its container can be removed only at the second try", async () => {
    const scene = createScene();
    scene.runtime.failNext("startContainer", engineError("engine.request_failed", "the start"));
    scene.runtime.failNext("removeContainer", engineError("engine.request_failed", "the removal"));
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "backoff", failures: 1, cause: { message: "the start" } });
    await expectNoContainer(scene);
  });

  it("counts once when the container was created although the call failed", async () => {
    const scene = createScene();
    // The engine does as it is told, and the answer is lost.
    const create = scene.runtime.createContainer.bind(scene.runtime);
    let lost = false;
    scene.runtime.createContainer = async (...args) => {
      const made = await create(...args);
      if (lost) return made;
      lost = true;
      throw engineError("engine.request_failed");
    };
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "backoff", failures: 1 });
    await scene.reach("ready");
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toHaveLength(1);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });
});

describe("a lane whose start failed for good", () => {
  it("stays failed, over a restart of the daemon too", async () => {
    const scene = createScene();
    scene.runtime.removePath(LANE.worktree);
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "failed", cause: { code: "engine.bad_mount" } });
    const mark = scene.runtime.calls.length;
    await scene.clock.advance(900_000);
    scene.begin();
    await scene.clock.advance(900_000);
    expect(scene.state).toMatchObject({ phase: "failed", cause: { code: "engine.bad_mount" } });
    expect(scene.mutations(mark)).toEqual([]);
  });

  it("gets another chance by a person's start", async () => {
    const scene = createScene();
    scene.runtime.failNext("createContainer", engineError("engine.bad_mount"));
    await firstOutcome(scene);
    const view = scene.supervisor.startLane(LANE.id, { waitMs: 60_000 });
    await scene.reach("ready");
    expect((await view).state.phase).toBe("ready");
    expect(scene.store.loadMemory(LANE.id)).toEqual({ failuresAtMs: [], failed: null });
  });

  it.each<[string, (scene: Scene) => void, (scene: Scene) => void, ErrorCode]>([
    [
      "its image",
      (scene) => scene.runtime.images.clear(),
      (scene) => scene.runtime.images.set(IMAGE.reference, IMAGE.id),
      "engine.image_missing",
    ],
    [
      "its worktree",
      (scene) => scene.host.missing.add(LANE.worktree),
      (scene) => scene.host.missing.clear(),
      "lane.worktree_missing",
    ],
  ])("comes up by itself when %s is there again", async (_what, take, give, code) => {
    const scene = createScene();
    take(scene);
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "failed", cause: { code } });
    expect(scene.mutations()).toEqual([]);
    await scene.clock.advance(60_000);
    expect(scene.state.phase).toBe("failed");
    give(scene);
    await scene.reach("ready", 6000);
    expect(scene.errors).toEqual([]);
  });
});

describe("a lane's repository", () => {
  it("is needed for a start, is mounted by its objects only, and is drift when it is another", async () => {
    let objects: string | null = null;
    const scene = createScene({ objectsOf: async () => objects });
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "failed", cause: { code: "lane.worktree_missing" } });
    objects = "/repo/.git/objects";
    await scene.reach("ready", 6000);
    const mounted = () => scene.container.mounts.map(({ source, target, readOnly }) => [source, target, readOnly]);
    expect(mounted()).toContainEqual(["/repo/.git/objects", "/lane/objects", true]);
    expect(mounted().find(([, target]) => target === "/workspace/.git")?.[2]).toBe(true);
    objects = "/moved/.git/objects";
    scene.supervisor.wake(LANE.id);
    await scene.clock.advance(10_000);
    await scene.reach("ready", 6000);
    expect(mounted()).toContainEqual(["/moved/.git/objects", "/lane/objects", true]);
    expect(scene.state).toMatchObject({ generation: 2 });
  });
});

describe("an engine that does not answer one call", () => {
  it.each<keyof LaneRuntime>(["findImage", "inspectContainer", "ensureNetwork", "ensureVolume", "createContainer"])(
    "at %s is no failure of the lane",
    async (method) => {
      const scene = createScene();
      scene.runtime.failNext(method, engineError("engine.unavailable"));
      await firstOutcome(scene);
      expect(scene.state.phase).toBe("ready");
      expect(scene.store.loadMemory(LANE.id).failuresAtMs).toEqual([]);
      expect(await leftovers(scene)).toBe(ONE_LANE_UP);
      expect(scene.errors).toEqual([]);
    },
  );

  it("at startContainer: what was not started is made anew", async () => {
    const scene = createScene();
    scene.runtime.failNext("startContainer", engineError("engine.unavailable"));
    await scene.up();
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("at startContainer, though it was started: it is proven where it runs, over one link", async () => {
    const scene = createScene();
    const start = scene.runtime.startContainer.bind(scene.runtime);
    let lost = false;
    scene.runtime.startContainer = async (...args) => {
      await start(...args);
      if (lost) return;
      lost = true;
      scene.workers.follow();
      // The worker answers and the link is open before the call is given up.
      await scene.clock.sleep(500, {});
      throw engineError("engine.unavailable");
    };
    await scene.up();
    expect(scene.state).toMatchObject({ generation: 1 });
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });
});

describe("a port that is taken", () => {
  it("is another one at once, and then the usual pauses", async () => {
    const scene = createScene();
    for (let port = 40_000; port < 40_002; port++) scene.runtime.occupyPort(port);
    await scene.up();
    const pauses = scene.history().filter((entry) => entry.event === "retry_later");
    expect(pauses.map((entry) => entry.cause?.code)).toEqual(["engine.port_in_use", "engine.port_in_use"]);
    const creates = scene.history().filter((entry) => entry.event === "create");
    const [first, second, third] = creates.map((entry) => entry.atMs - (creates[0]?.atMs ?? 0));
    expect([first, second, third]).toEqual([0, 0, 2000]);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 3 });
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });
});

describe("a worker that cannot prove itself", () => {
  it("because its container ends: fails within a second, with the exit code and its last words", async () => {
    const scene = createScene();
    scene.workers.script = (generation) => (generation === 1 ? { opensAfterMs: 10_000, exitsAfterMs: 400 } : {});
    scene.begin();
    await scene.reach("probing");
    scene.runtime.writeLog(scene.container.id, "no space left");
    await scene.reach("backoff", 1000);
    expect(scene.state).toMatchObject({ cause: { code: "lane.not_ready" } });
    expect(JSON.stringify(scene.state)).toContain("exit code 3");
    await expectNoContainer(scene);
    await scene.reach("ready");
  });

  it("because something else answers on its port: is made anew on another port", async () => {
    const scene = createScene();
    scene.workers.script = (generation) => ({ impostor: generation === 1 });
    await firstOutcome(scene);
    expect(scene.state).toMatchObject({ phase: "backoff", failures: 1, cause: { code: "worker.impostor" } });
    await expectNoContainer(scene);
    await scene.reach("ready");
    expect(scene.container.ports[0]?.hostPort).toBe(40_001);
  });

  it("because its secret is lost: is made anew with another one", async () => {
    const scene = createScene();
    const release = scene.runtime.hold("createContainer");
    scene.begin();
    await scene.clock.until(() => scene.runtime.calls.some((call) => call.method === "createContainer"), 1000);
    scene.boot.secrets.clear();
    release();
    await scene.clock.until(() => OUT.has(scene.state.phase), 1000);
    expect(scene.state).toMatchObject({ phase: "backoff", failures: 1, cause: { code: "worker.refused" } });
    await expectNoContainer(scene);
    await scene.reach("ready");
    expect(scene.state).toMatchObject({ generation: 2 });
  });
});
