import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { TestProject } from "vitest/node";
import { findDeadRuns, forgetRun, RUN_FOLDER, recordRun } from "./dead-runs.ts";
import { sweepInstall } from "./installation.ts";

declare module "vitest" {
  interface ProvidedContext {
    podman: PodmanRun;
  }
}

/** What the runner of a project on Podman must know. */
export type PodmanRun =
  /** The tests cannot run here, and why. */
  | { readonly kind: "missing"; readonly reason: string }
  /** `id` marks what the run makes; `folder` is for its temporary files. */
  | { readonly kind: "ready"; readonly id: string; readonly folder: string };

/** The label (key) that tests put on what they make themselves; its value is {@link RUN_VARIABLE}'s. */
export const RUN_LABEL = "io.lanekeeper.test-run";

/** In the environment of everything a run starts: the run's id. */
export const RUN_VARIABLE = "LANEKEEPER_TEST_RUN";

/**
 * Once per project on real Podman. Without Podman the project is skipped with the reason, or fails when
 * REQUIRE_PODMAN=1. All temporary files of the run go below one folder; at the end whatever the run left is removed:
 * daemons, containers, networks, volumes, files; at its start, what earlier runs left whose process is gone.
 * KEEP_FAILED=1 keeps it all for a look.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const reason = await whyNoPodman();
  if (reason !== null) {
    if (process.env.REQUIRE_PODMAN === "1") throw new Error(`${project.name} tests need Podman: ${reason}`);
    process.stderr.write(`${project.name} tests are skipped: ${reason}\n`);
    project.provide("podman", { kind: "missing", reason });
    return async () => {};
  }
  const id = randomBytes(6).toString("hex");
  // Short: sockets lie below it, and their paths may have 107 characters.
  const folder = await mkdtemp(join(tmpdir(), RUN_FOLDER));
  await recordRun(folder, id);
  for (const dead of await findDeadRuns(tmpdir())) await cleanUp(dead.id, dead.folder);
  project.provide("podman", { kind: "ready", id, folder });
  return async () => {
    if (process.env.KEEP_FAILED === "1") {
      await forgetRun(folder);
      process.stderr.write(`kept for a look: ${folder}\n`);
      return;
    }
    await cleanUp(id, folder);
  };
}

/** Removes all that a run has left. */
async function cleanUp(id: string, folder: string): Promise<void> {
  await endDaemons(id);
  for (const install of await installsBelow(folder)) await sweepInstall(install);
  await sweepLabel(`${RUN_LABEL}=${id}`);
  await rm(folder, { recursive: true, force: true });
}

async function whyNoPodman(): Promise<string | null> {
  const { LANEKEEPER_IMAGE: image = "localhost/lane-runtime:local" } = process.env;
  const result = await execa("podman", ["image", "exists", image], { reject: false, timeout: 20_000 });
  if (result.exitCode === 0) return null;
  if (result.exitCode === 1) return `the runtime image ${image} is missing (make image)`;
  return result.exitCode === undefined
    ? "podman is not installed (make setup)"
    : `podman does not work: ${result.stderr}`;
}

/** Programs of ours that still run and carry the run's id; never a process of the test runner itself. */
async function endDaemons(run: string): Promise<void> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const read = (name: string) => readFile(join("/proc", entry, name), "utf8").catch(() => "");
    const argv = (await read("cmdline")).split("\0");
    const isOurs =
      argv.some((word) => /\/(laned|lane-worker)$/.test(word)) || argv.join(" ").includes("podman system service");
    if (!isOurs || !(await read("environ")).split("\0").includes(`${RUN_VARIABLE}=${run}`)) continue;
    try {
      process.kill(Number(entry), "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** Ids of the installations that lie below the run's folder. */
async function installsBelow(folder: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const entry of await readdir(folder).catch(() => [])) {
    const id = await readFile(join(folder, entry, "s", "lanekeeper", "install"), "utf8").catch(() => "");
    if (/^[\w-]{4,}\s*$/.test(id)) ids.push(id.trim());
  }
  return ids;
}

/** Removes every container, network and volume that carries this label (`key=value`). */
export async function sweepLabel(label: string): Promise<void> {
  const podman = async (...args: readonly string[]) =>
    (await execa("podman", args, { reject: false })).stdout.split("\n");
  const filter = ["--filter", `label=${label}`];
  for (const id of await podman("ps", "-aq", ...filter)) if (id) await podman("rm", "-f", "-t", "0", id);
  for (const id of await podman("network", "ls", "-q", ...filter)) if (id) await podman("network", "rm", "-f", id);
  for (const id of await podman("volume", "ls", "-q", ...filter)) if (id) await podman("volume", "rm", "-f", id);
}
