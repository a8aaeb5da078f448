import { describe, expect, it } from "vitest";
import { createScene, leftovers, ONE_LANE_UP } from "./testing.ts";

describe("a worker that is slow to open its port", () => {
  it("after 100 s is waited for", async () => {
    const scene = createScene();
    scene.workers.script = () => ({ opensAfterMs: 100_000 });
    scene.begin();
    await scene.clock.advance(99_900);
    expect(scene.state.phase).toBe("probing");
    await scene.reach("ready", 500);
    expect(scene.workers.starts).toHaveLength(1);
    expect(scene.events()).toBe("create created started proven");
  });

  it("after 130 s fails once, and is made anew", async () => {
    const scene = createScene();
    scene.workers.script = (generation) => (generation === 1 ? { opensAfterMs: 130_000 } : {});
    scene.begin();
    await scene.clock.advance(119_900);
    expect(scene.state.phase).toBe("probing");
    await scene.reach("backoff", 200);
    expect(scene.state).toMatchObject({ failures: 1, cause: { code: "worker.probe_timeout" } });
    expect(scene.runtime.containers()).toEqual([]);
    await scene.reach("ready", 2000);
    await scene.clock.advance(60_000);
    expect(scene.history().filter((entry) => entry.event === "retry_later")).toHaveLength(1);
    expect(scene.workers.starts).toHaveLength(2);
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("is asked often at first and then seldom", async () => {
    const scene = createScene();
    scene.workers.script = () => ({ opensAfterMs: 100_000 });
    let probes = 0;
    const open = scene.workers.open;
    scene.workers.open = (...args) => {
      probes += 1;
      return open(...args);
    };
    scene.begin();
    await scene.clock.advance(100);
    expect(probes).toBeGreaterThan(10);
    probes = 0;
    await scene.clock.advance(10_000);
    const asked = probes;
    expect(asked).toBeLessThan(80);
    expect(asked).toBeGreaterThan(30);
  });
});
