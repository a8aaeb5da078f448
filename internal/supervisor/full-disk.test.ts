import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { createScene, LANE, leftovers, NOTHING, ONE_LANE_UP } from "./testing.ts";

const full = () => new AppError({ code: "store.full", message: "no room left", retry: "retryable" });

describe("a store that cannot write", () => {
  it("keeps a lane from being created; it comes up when there is room", async () => {
    const scene = createScene();
    scene.store.full = true;
    scene.begin();
    await scene.clock.advance(10_000);
    expect(scene.mutations()).toEqual([]);
    scene.store.full = false;
    await scene.reach("ready", 2000);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it.each(["created", "started", "proven"])(
    "when %s is to be recorded: the lane comes up all the same",
    async (event) => {
      const scene = createScene();
      const append = scene.store.appendHistory;
      let failures = 0;
      scene.store.appendHistory = (id, entry) => {
        if (entry.event === event && failures++ === 0) throw full();
        return append(id, entry);
      };
      scene.begin();
      await scene.clock.until(() => scene.state.phase === "ready" && scene.desk.open(LANE.id), 10_000);
      expect(failures).toBeGreaterThan(0);
      expect(await leftovers(scene)).toBe(ONE_LANE_UP);
    },
  );

  it("when a link is to be taken over: it is taken over later, and no job goes astray", async () => {
    const scene = createScene();
    scene.desk.refuses = full();
    scene.begin();
    await scene.clock.advance(5000);
    expect(scene.state.phase).not.toBe("ready");
    expect(scene.desk.open(LANE.id)).toBe(false);
    scene.desk.refuses = null;
    await scene.clock.until(() => scene.desk.open(LANE.id), 5000);
    expect(scene.state.phase).toBe("ready");
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("when a death is to be told: it is told later, and no sooner is the lane made anew", async () => {
    const scene = createScene();
    await scene.up();
    const dead = scene.desk.onLaneDead;
    scene.desk.onLaneDead = () => {
      throw full();
    };
    scene.die(1);
    await scene.clock.advance(10_000);
    expect(scene.workers.starts).toHaveLength(1);
    scene.desk.onLaneDead = dead;
    await scene.reach("ready", 5000);
    expect(scene.desk.said).toContain("dead 1");
  });

  it("amid a removal: it is taken up again", async () => {
    const scene = createScene();
    const supervisor = await scene.up();
    supervisor.remove(LANE.id, { waitMs: 1000 }).catch(() => undefined);
    scene.store.full = true;
    await scene.clock.advance(10_000);
    expect(scene.store.findLane(LANE.id)).not.toBeNull();
    scene.store.full = false;
    await scene.clock.advance(2000);
    expect(scene.store.findLane(LANE.id)).toBeNull();
    expect(await leftovers(scene)).toBe(NOTHING);
  });
});
