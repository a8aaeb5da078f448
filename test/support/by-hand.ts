import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { LaneSpec } from "../../internal/lane/index.ts";
import { createPodmanRuntime, readProfile } from "../../internal/podman/index.ts";
import type { ApiLane } from "../../internal/protocol/api.ts";
import type { Installation } from "./installation.ts";
import { inspectContainer, podman } from "./podman.ts";

const IMAGE = process.env.LANEKEEPER_IMAGE ?? "localhost/lane-runtime:local";

/** Starts a container that does nothing, with what the installation has found to work here. Returns its id. */
export async function runIdle(
  home: Installation,
  opts: { readonly name: string; readonly labels?: Readonly<Record<string, string>> },
): Promise<string> {
  const profile = readProfile(join(home.stateDir, "engine.json"))?.profile;
  const labels = Object.entries(opts.labels ?? {}).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
  const limit = (name: string, value: number | null | undefined) =>
    value == null ? [] : ["--ulimit", `${name}=${value}:${value}`];
  try {
    return await podman(
      ...(profile?.runtime ? ["--runtime", profile.runtime] : []),
      ...["run", "-d", "--init", "--network", "none", "--entrypoint", "sleep", "--name", opts.name, ...labels],
      ...[...limit("nofile", profile?.nofile), ...limit("nproc", profile?.nproc), IMAGE, "100000"],
    );
  } catch (error) {
    await podman("rm", "-f", "-t", "0", opts.name);
    throw error;
  }
}

/** Makes an image of that name in which nothing that needs Node starts: it says so and exits with `exitCode`. */
export async function makeBrokenImage(home: Installation, image: string, exitCode: number): Promise<void> {
  await deriveImage(home, image, {
    path: "/usr/local/bin/node",
    text: `#!/bin/sh\necho "no node here" >&2\nexit ${exitCode}\n`,
  });
}

/** Makes an image of that name that is another one than the runtime image, and works. Returns its id. */
export async function makeOtherImage(home: Installation, image: string): Promise<string> {
  await deriveImage(home, image, { path: "/etc/motd", text: "another image\n" });
  return (await podman("image", "inspect", "--format", "{{.Id}}", image)).trim();
}

/** The runtime image with one more executable file. No container runs for it. */
async function deriveImage(
  home: Installation,
  image: string,
  file: { readonly path: string; readonly text: string },
): Promise<void> {
  const draft = join(home.dir, "draft");
  await writeFile(draft, file.text);
  await chmod(draft, 0o755);
  const container = await podman("create", IMAGE, "true");
  try {
    await podman("cp", draft, `${container}:${file.path}`);
    await podman("commit", "-q", container, image);
  } finally {
    await podman("rm", "-f", "-t", "0", container);
  }
}

/**
 * Puts another container in the place of a lane's, as a person might: same name and labels, made from its spec after
 * `change`. The daemon must not run, or it would be faster. Returns the container's id.
 */
export async function replaceByHand(
  home: Installation,
  lane: ApiLane,
  change: (spec: LaneSpec) => LaneSpec,
): Promise<string> {
  const { Config } = await inspectContainer(lane.containerName);
  await podman("rm", "-f", "-t", "0", lane.containerName);
  const socket = join(home.env.XDG_RUNTIME_DIR as string, "lanekeeper", "podman.sock");
  const runtime = createPodmanRuntime({ address: `unix://${socket}` });
  try {
    const create = { name: lane.containerName, labels: Config.Labels, spec: change(specOnRecord(home, lane)) };
    const { id } = await runtime.createContainer(create, {});
    await runtime.startContainer(id, {});
    return id;
  } finally {
    await runtime.close();
  }
}

function specOnRecord(home: Installation, lane: ApiLane): LaneSpec {
  const database = new Database(join(home.stateDir, "lanekeeper.db"), { readonly: true });
  try {
    const row = database
      .prepare("SELECT spec FROM generations WHERE lane = ? AND generation = ?")
      .get(lane.id, lane.generation);
    return JSON.parse((row as { spec: string }).spec) as LaneSpec;
  } finally {
    database.close();
  }
}
