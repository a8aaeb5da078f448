import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { RuntimeProfile } from "../../internal/podman/index.ts";

/** What every call of a bench can be told. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Podman as people use it: one process per call. */
export interface PodmanCli {
  /** Runs `podman`, with the runtime that works on this machine; throws with its output when it fails. */
  run(args: readonly string[], opts: CallOptions): Promise<string>;
  /** Arguments of `create` and `run` that make containers start on this machine. */
  readonly limits: readonly string[];
}

/** @param profile what the daemon has found to work here */
export function createPodmanCli(profile: RuntimeProfile): PodmanCli {
  const exec = promisify(execFile);
  const runtime = profile.runtime === null ? [] : ["--runtime", profile.runtime];
  const limit = (name: string, value: number | null) => (value === null ? [] : [`--ulimit=${name}=${value}:${value}`]);
  return {
    limits: [...limit("nofile", profile.nofile), ...limit("nproc", profile.nproc)],
    run: async (args, { signal }) => {
      const { stdout } = await exec("podman", [...runtime, ...args], { ...(signal ? { signal } : {}) });
      return stdout.trim();
    },
  };
}
