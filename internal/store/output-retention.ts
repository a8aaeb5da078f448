import { type Dirent, rmSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/index.ts";
import { isTerminal } from "../job/index.ts";
import type { Jobs } from "./jobs.ts";

/** How much of what jobs have said is kept; null for no limit. */
export interface KeepLimits {
  /** Output of jobs that ended longer ago than this goes, ms. */
  readonly forMs: number | null;
  /** Above this much in all, that of the jobs that ended first goes. */
  readonly bytes: number | null;
}

/** The streams of one job, as files. */
export interface KeptOutput {
  readonly job: string;
  readonly bytes: number;
  /** Null while it has not ended: then it stays, but counts. */
  readonly endedAtMs: number | null;
}

/** Events taken out of the store in one go: a few milliseconds of it. */
const EVENTS_AT_ONCE = 1000;

/** What is left of a stream without its output may be made again, as a file; it is this small, and stays. */
const REMAINS_BYTES = 128 * 1024;

/** Whose output goes: what is too old, then, oldest end first, what is too much. Pure. */
export function chooseDropped(
  kept: readonly KeptOutput[],
  limits: KeepLimits,
  nowMs: number,
): readonly (KeptOutput & { readonly endedAtMs: number })[] {
  let bytes = kept.reduce((sum, one) => sum + one.bytes, 0);
  const ended = kept.flatMap(({ endedAtMs, ...rest }) => (endedAtMs === null ? [] : [{ ...rest, endedAtMs }]));
  return ended
    .sort((a, b) => a.endedAtMs - b.endedAtMs)
    .filter((one) => {
      const isOld = limits.forMs !== null && nowMs - one.endedAtMs > limits.forMs;
      if (!isOld && (limits.bytes === null || bytes <= limits.bytes)) return false;
      bytes -= one.bytes;
      return true;
    });
}

/**
 * Takes the output of ended jobs that the limits no longer allow out of the store and from the disk, and gives what went.
 * Where it was, the log has a `gap` with its length; everything else of the job stays. Resolves early, having done what
 * it did, when the signal aborts. @throws store.*, errors of the file system
 */
export async function dropOldOutput(
  deps: { readonly dir: string; readonly jobs: Pick<Jobs, "find" | "dropOutput">; readonly nowMs: () => number },
  limits: KeepLimits,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly KeptOutput[]> {
  if (limits.forMs === null && limits.bytes === null) return [];
  const gone: KeptOutput[] = [];
  for (const one of chooseDropped(await listKept(deps), limits, deps.nowMs())) {
    const isEnded = () => !signal.aborted && endOf(deps.jobs, one.job) === one.endedAtMs;
    let events = 0;
    for (let more = true; more && isEnded(); ) {
      const found = deps.jobs.dropOutput(one.job, EVENTS_AT_ONCE);
      events += found;
      more = found === EVENTS_AT_ONCE;
      await new Promise((resolve) => setImmediate(resolve));
    }
    // It may have been tried again meanwhile: then it is at work, and its files are.
    if (!isEnded() || (events === 0 && one.bytes <= REMAINS_BYTES)) continue;
    const folder = join(deps.dir, one.job);
    for (const name of await streamsIn(folder)) rmSync(join(folder, name), { force: true });
    gone.push(one);
  }
  return gone;
}

async function listKept(deps: { readonly dir: string; readonly jobs: Pick<Jobs, "find"> }): Promise<KeptOutput[]> {
  const kept: KeptOutput[] = [];
  for (const { name: job } of (await entriesOf(deps.dir)).filter((entry) => entry.isDirectory())) {
    const folder = join(deps.dir, job);
    let bytes = 0;
    for (const name of await streamsIn(folder)) bytes += (await stat(join(folder, name)).catch(() => null))?.size ?? 0;
    if (bytes > 0) kept.push({ job, bytes, endedAtMs: endOf(deps.jobs, job) });
  }
  return kept;
}

/** When the job ended; null for one that has not, or that is not on record. */
function endOf(jobs: Pick<Jobs, "find">, id: string): number | null {
  const job = jobs.find(id);
  return job && isTerminal(job.state) ? job.endedAtMs : null;
}

async function streamsIn(folder: string): Promise<readonly string[]> {
  return (await entriesOf(folder)).map((entry) => entry.name).filter((name) => name.endsWith(".ndjson"));
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT") return [];
    throw caught;
  }
}
