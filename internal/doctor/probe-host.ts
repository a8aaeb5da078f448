import { chmod } from "node:fs/promises";
import os from "node:os";
import { execa } from "execa";
import { assertNever } from "../base/index.ts";
import type { HostFacts } from "./facts.ts";
import { observeDaemon } from "./probe-daemon.ts";
import {
  observeCaBundle,
  observeCgroups,
  observeFolder,
  observeMemory,
  observePortTaken,
  observeRootless,
  observeSelinux,
  observeWorktree,
} from "./probe-machine.ts";
import { observeTools } from "./probe-tools.ts";
import type { Repair } from "./repairs.ts";

/** What the host probe must be told. */
export interface ProbeHostInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  /** Where doctor was started. */
  readonly cwd: string;
  readonly stateFolder: string;
  readonly socket: string;
  readonly apiPort: { readonly port: number; readonly configured: boolean };
}

const PORT_OF_NOBODY = 0;

/** Looks at this machine; changes nothing. Absent programs, folders and services are facts, not errors. */
export async function observeHost(
  input: ProbeHostInput,
  opts: { readonly signal?: AbortSignal | undefined } = {},
): Promise<HostFacts> {
  const user = userName(input);
  const { port, configured } = input.apiPort;
  const [tools, cgroups, selinux, rootless, memory, stateFolder, caBundle, taken, daemon, worktree] = await Promise.all(
    [
      observeTools(input.env.PATH ?? "", input.env, opts),
      observeCgroups(),
      observeSelinux(),
      observeRootless(user, input.uid),
      observeMemory(),
      observeFolder(input.stateFolder),
      observeCaBundle(),
      port === PORT_OF_NOBODY ? false : observePortTaken(port),
      observeDaemon(input.socket),
      observeWorktree(input.cwd),
    ],
  );
  return {
    nodeVersion: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    uid: input.uid,
    user,
    tools,
    cgroups,
    selinux,
    rootless,
    cpus: os.availableParallelism(),
    memory,
    stateFolder,
    caBundle,
    apiPort: { port, configured, taken },
    daemon,
    worktree,
  };
}

/** Carries out one repair. @throws the system's error when it does not work */
export async function execRepair(
  repair: Repair,
  opts: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  opts.signal?.throwIfAborted();
  switch (repair.op) {
    case "restrict":
      return chmod(repair.path, repair.mode);
    case "linger":
      await execa("loginctl", ["enable-linger", repair.user], {
        stdin: "ignore",
      });
      return;
    default:
      return assertNever(repair);
  }
}

/** An account without an entry in passwd (a bare uid in a container) is named by its number. */
function userName({ env, uid }: ProbeHostInput): string {
  try {
    return os.userInfo().username;
  } catch {
    return env.USER ?? String(uid);
  }
}
