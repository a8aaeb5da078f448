import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AppError } from "../../../internal/base/index.ts";
import { connectEngine, type EngineSettings, readProfile, stopOwnService } from "../../../internal/podman/index.ts";
import { podman } from "../../support/podman.ts";

const IMAGE = process.env.LANEKEEPER_IMAGE ?? "localhost/lane-runtime:local";

let dir: string;
let settings: EngineSettings;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pr-"));
  settings = {
    configured: null,
    uid: -1,
    userRuntimeDir: null,
    ownSocket: join(dir, "p.sock"),
    ownLog: join(dir, "podman.log"),
    profileFile: join(dir, "engine.json"),
    runtimes: ["crun", "runc"],
    forced: null,
  };
});
afterEach(async () => {
  await stopOwnService(settings.ownSocket);
  await rm(dir, { recursive: true, force: true });
});

/** Asks for the profile three times at once on a connection of its own. */
async function askAtOnce() {
  const connection = await connectEngine(settings, {});
  try {
    const imageId = (await connection.runtime.findImage(IMAGE, {}))?.id ?? "";
    return await Promise.allSettled([1, 2, 3].map(() => connection.profile({ imageId })));
  } finally {
    await connection.close();
  }
}

describe("the profile of a machine", () => {
  it("is found by one trial, however many ask at once (lanes of a new installation do)", async () => {
    const first = await askAtOnce();
    // Where the runtime had to be changed, the service is started again with it, and the next connection knows it.
    const changed = first.flatMap((one) => (one.status === "rejected" ? [one.reason as AppError] : []));
    expect([0, 3]).toContain(changed.length);
    expect(changed.map((error) => error.code).filter((code) => code !== "engine.unavailable")).toEqual([]);
    // One and the same error: there was one trial.
    expect(new Set(changed).size).toBeLessThanOrEqual(1);
    const found = changed.length > 0 ? await askAtOnce() : first;
    const stored = readProfile(settings.profileFile)?.profile ?? { runtime: "none was stored" };
    for (const one of found) expect(one).toMatchObject({ status: "fulfilled", value: stored });
    expect(await podman("ps", "-aq", "--filter", `label=io.lanekeeper.install=trial:${settings.ownSocket}`)).toBe("");
  });
});
