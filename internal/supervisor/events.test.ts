import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EngineEvent } from "../lane/index.ts";
import { createScene, LANE, leftovers, NAMES, ONE_LANE_UP } from "./testing.ts";

describe("events of the engine", () => {
  it("may all be lost: the next relist notices a death", async () => {
    const scene = createScene();
    scene.onEvent = () => undefined;
    await scene.up();
    await scene.clock.advance(1000);
    // Not even the link tells of it.
    scene.workers.halfOpen = true;
    scene.runtime.die(NAMES.container, 137);
    expect(scene.workers.openLinks()).toHaveLength(1);
    await scene.clock.until(() => scene.state.phase === "backoff", 5000);
    expect(scene.desk.said).toContain("dead 1");
    scene.workers.halfOpen = false;
    await scene.reach("ready");
    expect(await leftovers(scene)).toBe(ONE_LANE_UP);
  });

  it("may all be lost: the next relist notices a pause", async () => {
    const scene = createScene();
    scene.onEvent = () => undefined;
    await scene.up();
    await scene.clock.advance(1000);
    scene.runtime.pause(NAMES.container);
    await scene.clock.until(() => scene.container.status === "running", 5000);
  });

  it("shorten the wait", async () => {
    const scene = createScene();
    await scene.up();
    await scene.clock.advance(1000);
    scene.runtime.die(NAMES.container, 137);
    await scene.reach("backoff", 100);
  });

  it("change nothing when they are repeated and shuffled", async () => {
    const scene = createScene();
    const heard: EngineEvent[] = [];
    let deliver = (_event: EngineEvent): void => undefined;
    scene.onEvent = (event, toSupervisor) => {
      heard.push(event);
      deliver = toSupervisor;
      toSupervisor(event);
    };
    await scene.up();
    scene.die(1);
    await scene.clock.until(() => scene.state.phase === "ready" && scene.state.generation === 2, 10_000);
    expect(new Set(heard.map((event) => event.action)).size).toBeGreaterThan(4);
    await scene.clock.advance(6000);
    const { id } = scene.container;
    const events = scene.events();
    const storm = [...heard, ...heard, ...heard, { ...heard[0], containerName: "lane-abcd1234-nobody" } as EngineEvent];
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(storm, { minLength: 1 }), async (order) => {
        const mark = scene.runtime.calls.length;
        for (const event of order) deliver(event);
        await scene.clock.advance(200);
        expect(scene.mutations(mark)).toEqual([]);
        expect(scene.state).toMatchObject({ phase: "ready", generation: 2, containerId: id });
        // Many hints are one look.
        const looks = scene.runtime.calls.slice(mark).filter((call) => call.method === "inspectContainer");
        expect(looks.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 30 },
    );
    expect(scene.events()).toBe(events);
    expect(scene.errors).toEqual([]);
  });

  it("may stop: the stream is taken up again, and no lane notices", async () => {
    const scene = createScene();
    await scene.up();
    const { id } = scene.container;
    const mark = scene.runtime.calls.length;
    for (let i = 0; i < 5; i++) {
      scene.runtime.breakEvents();
      await scene.clock.advance(3000);
    }
    expect(scene.events()).toBe("create created started proven");
    expect(scene.mutations(mark)).toEqual([]);
    scene.runtime.die(id, 1);
    await scene.reach("backoff", 100);
    expect(scene.store.findLane(LANE.id)?.generation).toBe(1);
  });
});
