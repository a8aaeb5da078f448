import { describe, expect, it } from "vitest";
import { createScene, LANE, leftovers, ONE_LANE_UP } from "./testing.ts";

describe("a worker that says nothing on an open link", () => {
  it.each([0, 1000, 3900])("is unready within 14 s (frozen %d ms after its proof)", async (ms) => {
    const scene = createScene();
    await scene.up();
    await scene.clock.advance(ms);
    scene.workers.frozen = true;
    const mark = scene.runtime.calls.length;
    await scene.reach("unready", 14_000);
    expect(scene.state).toMatchObject({ cause: { code: "probe_lost" } });
    expect(scene.desk.open(LANE.id)).toBe(false);
    expect(scene.mutations(mark)).toEqual([]);
  });

  it("for two answers is still ready", async () => {
    const scene = createScene();
    await scene.up();
    await scene.clock.advance(1000);
    scene.workers.frozen = true;
    await scene.clock.advance(7000);
    scene.workers.frozen = false;
    await scene.clock.advance(60_000);
    expect(scene.events()).toBe("create created started proven");
  });

  it("is ready again without a restart when it answers", async () => {
    const scene = createScene();
    await scene.up();
    scene.workers.frozen = true;
    await scene.reach("unready", 14_000);
    await scene.clock.advance(40_000);
    expect(scene.state.phase).toBe("unready");
    scene.workers.frozen = false;
    await scene.reach("ready", 5000);
    expect(scene.workers.starts).toHaveLength(1);
    expect(scene.workers.opened).toBe(1);
    expect(scene.desk.open(LANE.id)).toBe(true);
    expect(scene.store.loadMemory(LANE.id).failuresAtMs).toEqual([]);
  });

  it("for a minute is replaced, after 60 s give or take 5", async () => {
    const scene = createScene();
    await scene.up();
    const frozenMs = scene.clock.monotonicMs();
    scene.workers.frozen = true;
    await scene.clock.until(() => scene.runtime.containers().length === 0, 66_000);
    expect(scene.clock.monotonicMs() - frozenMs).toBeGreaterThanOrEqual(55_000);
    scene.workers.frozen = false;
    await scene.reach("ready");
    expect(scene.history().find((entry) => entry.event === "retry_later")?.cause).toMatchObject({ code: "hung" });
    expect(scene.desk.said).toContain("dead 1");
    expect(scene.falseDeaths).toEqual([]);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("is ended by force at once for a cancel that nobody answers; an earlier generation's end is nothing", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    const cause = { code: "cancel_unanswered", message: "its worker has not confirmed a cancel" };
    supervisor.endGeneration(LANE.id, scene.lane.generation - 1, cause);
    await scene.clock.advance(10_000);
    expect(scene.workers.starts).toHaveLength(1);
    scene.desk.jobs.add(LANE.id);
    scene.workers.frozen = true;
    supervisor.endGeneration(LANE.id, scene.lane.generation, cause);
    await scene.clock.until(() => scene.runtime.containers().length === 0, 5000);
    scene.workers.frozen = false;
    await scene.reach("ready");
    expect(scene.history().find((entry) => entry.event === "retry_later")?.cause).toMatchObject(cause);
    expect(scene.desk.said).toContain("dead 1");
    expect(scene.workers.starts).toHaveLength(2);
    expect(scene.falseDeaths).toEqual([]);
  });

  it("is not called ready by ensure", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    await scene.clock.advance(100);
    scene.workers.frozen = true;
    const asked = supervisor.ensure(LANE.id, { waitMs: 5000 });
    let answer: string | null = null;
    void asked.then((view) => {
      answer = view.state.phase;
    });
    await scene.clock.advance(4900);
    expect(answer).toBeNull();
    scene.workers.frozen = false;
    await scene.clock.advance(2000);
    expect(answer).toBe("ready");
  });
});

describe("a link that breaks", () => {
  it("is another one at once, and the container stays", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    await scene.clock.advance(2500);
    const mark = scene.runtime.calls.length;
    supervisor.dropLink(LANE.id, "cut");
    await scene.clock.advance(10);
    expect(scene.state.phase).toBe("ready");
    expect(scene.events()).toBe("create created started proven silent proven");
    expect(scene.mutations(mark)).toEqual([]);
    expect(scene.workers.opened).toBe(2);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
    expect(scene.desk.said.slice(-4)).toEqual(["detach", "pause", "attach 1", "resume"]);
  });
});

describe("many lanes", () => {
  it("are each asked once per interval, but not all at once", async () => {
    const scene = createScene();
    for (let i = 0; i < 24; i++) scene.store.insertLane({ ...LANE, id: `more-${i}`, name: `more-${i}` });
    scene.begin();
    await scene.clock.until(() => scene.supervisor.list().every((view) => view.state.phase === "ready"), 60_000);
    await scene.clock.advance(8000);
    const asked = new Map<number, number>();
    for (const link of scene.workers.openLinks()) {
      const ping = link.ping;
      Object.assign(link, {
        ping: (...args: Parameters<typeof ping>) => {
          const now = scene.clock.monotonicMs();
          asked.set(now, (asked.get(now) ?? 0) + 1);
          return ping(...args);
        },
      });
    }
    await scene.clock.advance(40_000);
    const counts = [...asked.values()];
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(25 * 9);
    expect(counts.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(25 * 11);
    expect(Math.max(...counts)).toBeLessThanOrEqual(10);
  });
});
