import { readFileSync } from "node:fs";
import { newId, toError } from "../base/index.ts";
import { INSTALL_LABEL } from "../lane/index.ts";
import type { CallOptions, PodmanRuntime } from "./podman-runtime.ts";

/** What makes containers start on this machine; `null` is the engine's own default. */
export interface RuntimeProfile {
  readonly runtime: string | null;
  readonly nofile: number | null;
  readonly nproc: number | null;
}

/** One trial and how it went. */
export interface ProfileTry {
  readonly profile: RuntimeProfile;
  /** Null when it worked. */
  readonly error: string | null;
}

/** Hard limits of this process: a container cannot be given more without CAP_SYS_RESOURCE. */
export interface HardLimits {
  readonly nofile: number | null;
  readonly nproc: number | null;
}

/** Low enough for every machine that was seen. */
const MODEST = 4096;

/** The limits to try, in order: the engine's own, then ours, then modest ones. Pure. */
export function limitCandidates(hard: HardLimits): Omit<RuntimeProfile, "runtime">[] {
  const own = hard.nofile === null && hard.nproc === null ? [] : [hard];
  return [{ nofile: null, nproc: null }, ...own, { nofile: MODEST, nproc: MODEST }];
}

/** Parses `/proc/self/limits`; "unlimited" is null. Pure. */
export function parseHardLimits(text: string): HardLimits {
  const hard = (name: string): number | null => {
    const line = text.split("\n").find((l) => l.startsWith(name));
    const value = Number(line?.slice(name.length).trim().split(/\s+/)[1]);
    return Number.isFinite(value) ? value : null;
  };
  return { nofile: hard("Max open files"), nproc: hard("Max processes") };
}

/**
 * Hard limits of a service that we start. It lowers its own limit of processes to the kernel's `pid_max` (seen on
 * 4.3.1: 96365 became 32768), so that more than that is refused.
 */
export function readHardLimits(): HardLimits {
  const { nofile, nproc } = parseHardLimits(readFileSync("/proc/self/limits", "utf8"));
  const pidMax = Number.parseInt(readFileSync("/proc/sys/kernel/pid_max", "utf8"), 10);
  return { nofile, nproc: Math.min(nproc ?? pidMax, pidMax) };
}

/** A service to try on, and the runtime that it starts containers with. */
export interface TrialService {
  readonly runtime: string | null;
  /** Runs `fn` on a service with that runtime; ends the service afterwards when it was made for this. */
  use<T>(fn: (engine: PodmanRuntime) => Promise<T>): Promise<T>;
}

/** What is tried, and for whom. */
export interface Trial {
  readonly imageId: string;
  readonly services: readonly TrialService[];
  readonly hard: HardLimits;
  /** Marks the trial containers, so that what a dead daemon left is found again; no install id. */
  readonly owner: string;
}

/**
 * Finds the first profile with which a container of `imageId` really starts: each service in turn, each with ever lower
 * limits. Each trial is a throw-away container without a network; all are removed.
 * @returns every try; the last one is the profile when its error is null
 */
export async function tryProfiles(trial: Trial, opts: CallOptions): Promise<readonly ProfileTry[]> {
  const tries: ProfileTry[] = [];
  for (const service of trial.services) {
    const found = await service.use(async (engine) => {
      await removeLeftovers(engine, trial.owner, opts);
      for (const limits of limitCandidates(trial.hard)) {
        const profile = { runtime: service.runtime, ...limits };
        const error = await tryProfile(engine, trial, profile, opts);
        tries.push({ profile, error });
        if (error === null) return true;
      }
      return false;
    });
    if (found) break;
  }
  return tries;
}

async function tryProfile(
  runtime: PodmanRuntime,
  trial: Trial,
  profile: RuntimeProfile,
  opts: CallOptions,
): Promise<string | null> {
  const name = `lanekeeper-trial-${newId()}`;
  let id: string | null = null;
  try {
    id = (await runtime.createRaw(trialBody(name, trial, profile), opts)).id;
    await runtime.startContainer(id, opts);
    const code = await runtime.waitContainer(id, { ...opts, deadlineMs: 20_000 });
    return code === 0 ? null : `the trial container ended with exit code ${code}`;
  } catch (caught) {
    if (opts.signal?.aborted) throw caught;
    return toError(caught).message;
  } finally {
    if (id !== null) await runtime.removeContainer(id, {});
  }
}

/** A daemon that died in the middle of a trial made none of its containers' removals: the next trial does. */
async function removeLeftovers(engine: PodmanRuntime, owner: string, opts: CallOptions): Promise<void> {
  for (const { id } of await engine.listContainers({ ...opts, install: owner })) await engine.removeContainer(id, opts);
}

function trialBody(name: string, trial: Trial, profile: RuntimeProfile): Record<string, unknown> {
  const limit = (type: string, value: number | null) => (value === null ? [] : [{ type, soft: value, hard: value }]);
  return {
    name,
    image: trial.imageId,
    labels: { [INSTALL_LABEL]: trial.owner },
    entrypoint: ["/bin/true"],
    command: [],
    init: true,
    netns: { nsmode: "none" },
    r_limits: [...limit("nofile", profile.nofile), ...limit("nproc", profile.nproc)],
    restart_policy: "no",
    log_configuration: { driver: "none" },
  };
}
