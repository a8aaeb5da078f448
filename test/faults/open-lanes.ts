import { afterAll, beforeAll } from "vitest";
import type { ApiLane } from "../../internal/protocol/api.ts";
import { type Installation, newInstallation } from "../support/installation.ts";
import { type BareDaemon, startBareDaemon } from "./bare-daemon.ts";
import { FAULTY_DIST } from "./build-setup.ts";
import { furnish } from "./evidence.ts";

/** An installation of the test build, with lanes that have their agent. */
export interface LanesScene {
  readonly home: Installation;
  readonly lanes: readonly ApiLane[];
  /** The daemon of now: a test that kills it puts the next one here. */
  daemon: BareDaemon;
}

/** A {@link LanesScene} of which nothing is left when it is disposed of. */
export interface FaultScene extends LanesScene, AsyncDisposable {}

/**
 * Makes the scene with one lane for each list of arguments of `lane add`; what was made goes when that fails. `dist` is
 * another build than the test build.
 */
export async function openLanes(
  adds: readonly (readonly string[])[],
  opts: { readonly config?: string; readonly dist?: string } = {},
): Promise<FaultScene> {
  const home = await newInstallation({ dist: FAULTY_DIST, ...opts });
  const lanes: ApiLane[] = [];
  const scene: FaultScene = {
    home,
    lanes,
    daemon: startBareDaemon(home, null, opts),
    [Symbol.asyncDispose]: async () => {
      await home[Symbol.asyncDispose]();
      await scene.daemon.kill();
    },
  };
  try {
    await scene.daemon.answers();
    await home.json(["workspace", "add", await home.repository()]);
    for (const add of adds) {
      const lane = await home.json<ApiLane>(["add", ...add]);
      await furnish(lane);
      lanes.push(lane);
    }
    return scene;
  } catch (caught) {
    await scene[Symbol.asyncDispose]();
    throw caught;
  }
}

/** The scene of a whole `describe`: made before its tests, gone after them. */
export function openLanesBefore(...args: Parameters<typeof openLanes>): LanesScene {
  let opened: FaultScene | null = null;
  const scene = (): FaultScene => {
    if (opened === null) throw new Error("the lanes are not open yet");
    return opened;
  };
  beforeAll(async () => {
    opened = await openLanes(...args);
  });
  afterAll(() => opened?.[Symbol.asyncDispose]());
  return {
    get home() {
      return scene().home;
    },
    get lanes() {
      return scene().lanes;
    },
    get daemon() {
      return scene().daemon;
    },
    set daemon(next) {
      scene().daemon = next;
    },
  };
}
