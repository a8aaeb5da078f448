import { describe, expect, it } from "vitest";
import { createScene, LANE, leftovers, ONE_LANE_UP, type Scene } from "./testing.ts";

/** The main process has ended, and the engine has not noticed yet: it says running, and the link is closed. */
function endUnnoticed(scene: Scene): void {
  scene.runtime.processes.delete(scene.container.pid);
  scene.workers.follow();
}

/** The engine says that it is over, while the main process lives. Returns what ends it. */
function outlive(scene: Scene): () => void {
  const { pid } = scene.container;
  const startTime = scene.host.startTime(pid) ?? 0;
  scene.host.lingering.set(pid, startTime);
  return () => scene.host.lingering.delete(pid);
}

const deaths = (scene: Scene) => scene.desk.said.filter((said) => said.startsWith("dead"));

describe("a worker that dies", () => {
  it("is proven dead before the dispatcher is told, and made anew after the pause", async () => {
    const scene = createScene();
    await scene.up();
    scene.die(137);
    await scene.reach("backoff", 100);
    expect(scene.state).toMatchObject({
      failures: 1,
      cause: { code: "worker_died", message: expect.stringContaining("137") },
    });
    expect(scene.desk.said).toEqual(["pause", "attach 1", "resume", "detach", "pause", "dead 1", "pause"]);
    expect(scene.falseDeaths).toEqual([]);
    await scene.reach("ready", 1001);
    expect(scene.state).toMatchObject({ generation: 2 });
    expect(scene.events()).toBe("create created started proven stop gone retry_later create created started proven");
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("for want of memory says so", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.die(scene.container.id, 137, { oomKilled: true });
    scene.workers.follow();
    await scene.reach("backoff", 100);
    expect(scene.state).toMatchObject({ cause: { code: "out_of_memory", hint: expect.any(String) } });
  });

  it("is told of once, however often it is looked at", async () => {
    const scene = createScene();
    await scene.up();
    scene.die(1);
    for (let i = 0; i < 20; i++) scene.supervisor.wake(LANE.id);
    await scene.reach("ready");
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.workers.starts).toHaveLength(2);
  });
});

describe("a container that is neither alive nor proven dead", () => {
  it.each([500, 3500])(
    "is waited for, and its end is told with the exit code (last heard of %d ms before)",
    async (ms) => {
      const scene = createScene();
      await scene.up();
      await scene.clock.advance(ms);
      const mark = scene.runtime.calls.length;
      endUnnoticed(scene);
      await scene.reach("unready", 10);
      await scene.clock.advance(1000);
      expect(scene.state.phase).toBe("unready");
      expect(deaths(scene)).toEqual([]);
      expect(scene.mutations(mark)).toEqual([]);
      scene.die(137);
      await scene.reach("backoff", 100);
      expect(scene.state).toMatchObject({ cause: { code: "worker_died" } });
      expect(deaths(scene)).toEqual(["dead 1"]);
    },
  );

  it("is removed when it stays like that, and only then told dead", async () => {
    const scene = createScene();
    await scene.up();
    endUnnoticed(scene);
    await scene.clock.advance(1900);
    expect(deaths(scene)).toEqual([]);
    await scene.reach("backoff", 300);
    expect(scene.state).toMatchObject({ cause: { code: "limbo" } });
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.falseDeaths).toEqual([]);
  });

  it("is not told dead while its main process lives, whatever the engine says", async () => {
    const scene = createScene();
    await scene.up();
    const end = outlive(scene);
    const mark = scene.runtime.calls.length;
    scene.die(0);
    await scene.clock.advance(1900);
    expect(scene.mutations(mark)).toEqual([]);
    await scene.clock.advance(60_000);
    expect(deaths(scene)).toEqual([]);
    expect(scene.workers.starts).toHaveLength(1);
    end();
    await scene.reach("ready", 10_000);
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.falseDeaths).toEqual([]);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("is left to end by itself while its worker answers, without being asked all the time", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.alter(scene.container.id, { status: "stopping" });
    scene.supervisor.wake(LANE.id);
    const mark = scene.runtime.calls.length;
    await scene.clock.advance(10_000);
    expect(scene.mutations(mark)).toEqual([]);
    const looks = scene.runtime.calls.slice(mark).filter((call) => call.method === "inspectContainer");
    expect(looks.length).toBeLessThan(30);
    scene.die(143);
    await scene.reach("ready", 2000);
    expect(deaths(scene)).toEqual(["dead 1"]);
  });
});

describe("a container that someone else removes", () => {
  it("is told dead and made anew", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.vanish(scene.container.id);
    await scene.clock.until(() => scene.state.phase === "ready" && scene.state.generation === 2, 6000);
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.history().some((entry) => entry.cause?.code === "container_gone")).toBe(true);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("is not told dead while its process lives", async () => {
    const scene = createScene();
    await scene.up();
    const end = outlive(scene);
    scene.runtime.vanish(scene.container.id);
    await scene.clock.advance(30_000);
    expect(deaths(scene)).toEqual([]);
    expect(scene.workers.starts).toHaveLength(1);
    end();
    await scene.reach("ready", 10_000);
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.falseDeaths).toEqual([]);
  });
});

describe("a container that another one has taken the place of", () => {
  it("is not told dead while its process lives", async () => {
    const scene = createScene();
    await scene.up();
    const end = outlive(scene);
    const other = { ...scene.container, id: "d".repeat(64), pid: 7, conmonPid: 6, labels: null, rawLabels: {} };
    scene.runtime.vanish(scene.container.id);
    scene.runtime.addContainer(other);
    for (const pid of [6, 7]) scene.runtime.processes.set(pid, 1);
    scene.workers.follow();
    await scene.clock.advance(20_000);
    expect(deaths(scene)).toEqual([]);
    end();
    await scene.reach("failed", 6000);
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.falseDeaths).toEqual([]);
    expect(scene.state).toMatchObject({ cause: { code: "lane.foreign_container" } });
  });
});

describe("a container whose worker never answered", () => {
  it("is not made anew while its process lives", async () => {
    const scene = createScene();
    scene.workers.script = (generation) => (generation === 1 ? { opensAfterMs: 1_000_000 } : {});
    scene.begin();
    await scene.reach("probing", 1000);
    const end = outlive(scene);
    await scene.clock.advance(150_000);
    expect(scene.workers.starts).toHaveLength(1);
    end();
    await scene.reach("ready", 10_000);
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toHaveLength(1);
    expect(scene.history().find((entry) => entry.event === "retry_later")?.cause?.code).toBe("worker.probe_timeout");
    expect([scene.falseDeaths, scene.doubles]).toEqual([[], []]);
  });
});

describe("a container whose monitor dies", () => {
  it("is replaced when idle, though it would still answer", async () => {
    const scene = createScene();
    await scene.up();
    scene.runtime.loseMonitor(scene.container.id);
    await scene.clock.until(() => scene.state.phase === "ready" && scene.state.generation === 2, 6000);
    expect(scene.history().some((entry) => entry.cause?.code === "conmon_lost")).toBe(true);
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toEqual([]);
  });

  it("is drained while a job runs", async () => {
    const scene = createScene();
    await scene.up();
    scene.desk.jobs.add(LANE.id);
    const mark = scene.runtime.calls.length;
    scene.runtime.loseMonitor(scene.container.id);
    await scene.reach("draining", 6000);
    await scene.clock.advance(600_000);
    expect(scene.mutations(mark)).toEqual([]);
    scene.desk.jobs.clear();
    scene.supervisor.wake(LANE.id);
    await scene.reach("ready", 1000);
    expect(scene.state).toMatchObject({ generation: 2 });
  });

  it("and whose worker hangs is replaced although a job runs", async () => {
    const scene = createScene();
    await scene.up();
    scene.desk.jobs.add(LANE.id);
    scene.runtime.loseMonitor(scene.container.id);
    await scene.reach("draining", 6000);
    scene.workers.frozen = true;
    await scene.clock.until(() => scene.runtime.containers().length === 0, 70_000);
    scene.workers.frozen = false;
    await scene.reach("ready");
    expect(deaths(scene)).toEqual(["dead 1"]);
    expect(scene.falseDeaths).toEqual([]);
  });
});

describe("a container that someone pauses", () => {
  it("goes on, in the same container", async () => {
    const scene = createScene();
    await scene.up();
    const { id } = scene.container;
    scene.runtime.pause(id);
    await scene.clock.advance(5000);
    expect(scene.container).toMatchObject({ id, status: "running" });
    expect(scene.state.phase).toBe("ready");
    expect(scene.events()).toBe("create created started proven container:unpause");
  });
});
