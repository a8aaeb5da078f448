import { describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS, type DerivedImage, type LaneCause, type LaneSettings } from "../lane/index.ts";
import type { ImageMaker } from "./ports.ts";
import { createScene, IMAGE, LANE, type Scene } from "./testing.ts";

const MADE = "d".repeat(64);
const WITH_TREE: LaneSettings = { ...DEFAULT_SETTINGS, packages: { apt: ["tree"], npm: [] } };
const CAUSE: LaneCause = { code: "engine.image_failed", message: "apt-get ended with exit code 100" };

/** A maker whose work ends when the test says so. */
function newMaker() {
  const begun: DerivedImage[] = [];
  const noted: (DerivedImage | null)[] = [];
  const left: string[] = [];
  const sweeps: string[] = [];
  let failure: LaneCause | null = null;
  let isMaking = false;
  const images: ImageMaker = {
    note: (_, image) => void noted.push(image),
    failureOf: () => failure,
    outputOf: () => ["E: Unable to locate package tree"],
    begin: (_, image) => {
      if (isMaking) return false;
      isMaking = true;
      begun.push(image);
      return true;
    },
    retry: () => {
      failure = null;
    },
    leave: (laneId) => void left.push(laneId),
    sweep: async () => {
      sweeps.push("sweep");
      return [];
    },
  };
  const end = (scene: Scene, how: LaneCause | null): void => {
    isMaking = false;
    failure = how;
    const name = begun.at(-1)?.name ?? "";
    if (how === null) scene.runtime.images.set(name, MADE);
    scene.supervisor.wake(LANE.id);
  };
  return { images, begun, noted, left, sweeps, end };
}

describe("a lane with packages", () => {
  it("waits without a container until its image is made once, and is made from that", async () => {
    const maker = newMaker();
    const scene = createScene({ lane: { settings: WITH_TREE }, images: maker.images });
    scene.begin();
    await scene.clock.advance(30_000);
    expect([scene.state.phase, scene.mutations(), maker.begun.length]).toEqual(["absent", [], 1]);
    expect(scene.history().map(({ event }) => event)).toEqual(["image:make"]);
    expect(maker.begun[0]).toMatchObject({ baseId: IMAGE.id, packages: { apt: ["tree"] } });
    maker.end(scene, null);
    await scene.reach("ready");
    expect(scene.container.imageId).toBe(MADE);
    expect(maker.sweeps).not.toEqual([]);
  });

  it("goes on as it is while the image of new packages is made, and back to the base without them", async () => {
    const maker = newMaker();
    const scene = createScene({ images: maker.images });
    await scene.up();
    scene.supervisor.patch(LANE.id, WITH_TREE);
    await scene.clock.advance(30_000);
    expect([scene.state.phase, scene.container.imageId, scene.lane.generation]).toEqual(["ready", IMAGE.id, 1]);
    maker.end(scene, null);
    await scene.clock.advance(1000);
    await scene.reach("ready", 1000);
    expect([scene.container.imageId, scene.lane.generation]).toEqual([MADE, 2]);
    scene.supervisor.patch(LANE.id, DEFAULT_SETTINGS);
    await scene.clock.advance(1000);
    await scene.reach("ready", 1000);
    expect([scene.container.imageId, scene.lane.generation, maker.noted.at(-1)]).toEqual([IMAGE.id, 3, null]);
  });

  it("is failed with the cause and what was said, and tried again by a start", async () => {
    const maker = newMaker();
    const scene = createScene({ lane: { settings: WITH_TREE }, images: maker.images });
    scene.begin();
    await scene.clock.advance(1000);
    maker.end(scene, CAUSE);
    await scene.reach("failed", 1000);
    expect(scene.state).toMatchObject({ cause: CAUSE, logTail: ["E: Unable to locate package tree"] });
    await scene.clock.advance(600_000);
    expect([scene.state.phase, maker.begun.length]).toEqual(["failed", 1]);
    const started = scene.supervisor.startLane(LANE.id, { waitMs: 60_000 });
    await scene.clock.advance(100);
    expect(maker.begun).toHaveLength(2);
    maker.end(scene, null);
    await scene.reach("ready", 10_000);
    expect((await started).state.phase).toBe("ready");
  });

  it("keeps working when the image of new packages cannot be made, and stops and goes while it is made", async () => {
    const maker = newMaker();
    const scene = createScene({ images: maker.images });
    await scene.up();
    scene.supervisor.patch(LANE.id, WITH_TREE);
    await scene.clock.advance(1000);
    maker.end(scene, CAUSE);
    await scene.clock.advance(60_000);
    expect([scene.state.phase, scene.lane.generation, maker.begun.length]).toEqual(["ready", 1, 1]);
    scene.supervisor.patch(LANE.id, WITH_TREE);
    await scene.clock.advance(1000);
    expect(maker.begun).toHaveLength(2);
    void scene.supervisor.stop(LANE.id, { waitMs: 60_000 });
    await scene.reach("stopped");
    void scene.supervisor.remove(LANE.id, { waitMs: 60_000 });
    await scene.clock.advance(1000);
    expect(maker.left).toEqual([LANE.id]);
  });

  it("is made anew when the image below has another id under its name", async () => {
    const maker = newMaker();
    const scene = createScene({ lane: { settings: WITH_TREE }, images: maker.images });
    scene.begin();
    await scene.clock.advance(1000);
    maker.end(scene, null);
    await scene.reach("ready");
    scene.runtime.images.set(IMAGE.reference, "b".repeat(64));
    await scene.clock.advance(10_000);
    expect([scene.state.phase, maker.begun.length, maker.begun[1]?.baseId]).toEqual(["ready", 2, "b".repeat(64)]);
  });
});
