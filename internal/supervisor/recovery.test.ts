import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createScene, LANE, leftovers, NOTHING, ONE_LANE_UP, type Scene } from "./testing.ts";

/** What a daemon was about when it was killed. */
interface Path {
  /** Brings a scene to where the path begins, if there is more to it than a start. */
  readonly before: (scene: Scene) => Promise<void>;
  /** Sets the path off under a daemon that has just begun; what it throws is the death. */
  readonly go: (scene: Scene) => Promise<void>;
  /** Has it come to its end? */
  readonly isDone: (scene: Scene) => boolean;
  /** What is left on the machine then. */
  readonly end: string;
  /** What the dispatcher has been told by then, if it has to be. */
  readonly told: string | null;
}

const isUp = (scene: Scene) => scene.state.phase === "ready" && scene.desk.open(LANE.id);
const settings = { ...LANE.settings, env: { NEW: "1" } };

const CREATE: Path = {
  before: async () => undefined,
  go: async () => undefined,
  isDone: isUp,
  end: ONE_LANE_UP,
  told: null,
};

const REPLACE: Path = {
  before: async (scene) => {
    await scene.up();
  },
  go: async (scene) => {
    scene.supervisor.patch(LANE.id, settings);
  },
  isDone: (scene) => isUp(scene) && scene.container.env.NEW === "1",
  end: ONE_LANE_UP,
  // The next worker tells what has become of the jobs.
  told: null,
};

const DEATH: Path = {
  before: async (scene) => {
    await scene.up();
    scene.die(137);
  },
  go: async () => undefined,
  isDone: (scene) => isUp(scene) && scene.lane.generation > 1,
  end: ONE_LANE_UP,
  told: null,
};

const STOP: Path = {
  before: async (scene) => {
    await scene.up();
    scene.store.updateLane(LANE.id, { desired: "stopped" });
  },
  go: async () => undefined,
  isDone: (scene) => scene.state.phase === "stopped",
  end: "containers 1, networks 1, volumes 1, folders 1, processes 0, links 0",
  told: "dead 1",
};

const REMOVE: Path = {
  before: async (scene) => {
    await scene.up();
    scene.store.updateLane(LANE.id, { desired: "gone" });
  },
  go: async () => undefined,
  isDone: (scene) => scene.supervisor.findLane(LANE.id) === null,
  end: NOTHING,
  told: "removed",
};

/** Follows `path` with a daemon that is killed after the given calls, one life after the other, and with a last one that is not. */
async function follow(path: Path, kills: readonly number[], onKill: () => void = () => undefined): Promise<Scene> {
  const scene = createScene({ limits: { orphanGraceMs: 5000 } });
  await path.before(scene);
  for (const killAfter of [...kills, null]) {
    scene.begin(killAfter === null ? {} : { killAfter });
    // Whoever asked sees no answer from a daemon that dies, and asks again.
    await path.go(scene).catch(() => undefined);
    await scene.clock.until(() => !scene.life.isAlive || path.isDone(scene), 120_000);
    if (!scene.life.isAlive) onKill();
  }
  return scene;
}

/** How many calls the path takes when nothing happens. */
async function countCalls(path: Path): Promise<number> {
  const scene = await follow(path, []);
  return scene.life.calls.length;
}

async function expectGood(scene: Scene, path: Path): Promise<void> {
  // Until what strays is ripe, and swept.
  await scene.clock.advance(15_000);
  expect(path.isDone(scene)).toBe(true);
  expect(await leftovers(scene)).toBe(path.end);
  const given = scene.store.generations.map((record) => record.generation);
  expect(given).toEqual([...given].sort((a, b) => a - b));
  expect(new Set(given).size).toBe(given.length);
  if (path.told) expect(scene.desk.said).toContain(path.told);
  expect(scene.falseDeaths).toEqual([]);
  expect(scene.doubles).toEqual([]);
  expect(scene.errors).toEqual([]);
}

describe.each<[string, Path]>([
  ["a lane is created", CREATE],
  ["a lane is replaced", REPLACE],
  ["a dead lane is made anew", DEATH],
  ["a lane is stopped", STOP],
  ["a lane is removed", REMOVE],
])("a daemon that is killed while %s", (_what, path) => {
  it("right after each of its calls: the next one brings it to its end, and nothing is left over", async () => {
    const calls = await countCalls(path);
    let killed = 0;
    for (let n = 1; n <= calls; n++) {
      const scene = await follow(path, [n], () => killed++);
      await expectGood(scene, path);
    }
    // All calls but the event stream, which never ends by itself.
    expect(killed).toBe(calls - 1);
    expect(killed).toBeGreaterThan(10);
  });

  it("again and again", async () => {
    const calls = await countCalls(path);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: calls }), { minLength: 2, maxLength: 4 }), async (kills) => {
        const scene = await follow(path, kills);
        await expectGood(scene, path);
      }),
      { numRuns: 10 },
    );
  });
});

describe("a create call that outlives its daemon", () => {
  it.each([
    ["comes before the next daemon's", 300],
    ["comes after the next daemon's", 10],
  ])("and %s does no harm", async (_what, secondMs) => {
    const scene = createScene();
    const create = scene.runtime.createContainer.bind(scene.runtime);
    const delays = [150, secondMs];
    scene.runtime.createContainer = async (...args) => {
      await scene.clock.sleep(delays.shift() ?? 0, {});
      return create(...args);
    };
    scene.begin();
    await scene.reach("creating", 0);
    scene.begin();
    await scene.reach("ready");
    await expectGood(scene, CREATE);
  });
});
