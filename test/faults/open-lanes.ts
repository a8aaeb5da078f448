import type { ApiLane } from "../../internal/protocol/api.ts";
import { type Installation, newInstallation } from "../support/installation.ts";
import { type BareDaemon, startBareDaemon } from "./bare-daemon.ts";
import { FAULTY_DIST } from "./build-setup.ts";
import { furnish } from "./evidence.ts";

/** An installation of the test build, with lanes that have their agent. */
export interface FaultScene extends AsyncDisposable {
  readonly home: Installation;
  readonly lanes: readonly ApiLane[];
  /** The daemon of now: a test that kills it puts the next one here. */
  daemon: BareDaemon;
}

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
