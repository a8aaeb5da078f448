import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf, hasCode } from "../base/index.ts";
import { CLONE_PROTOCOLS, type CloneUrl } from "./clone-url.ts";
import type { HardenedGit } from "./hardened-git.ts";

/** What is to be cloned, and where to. */
export interface CloneRepository {
  readonly from: CloneUrl;
  /** A folder that only we write; made when it is not there. */
  readonly root: string;
  /** Name of the new folder in it; the next free one is taken when there is such a folder. */
  readonly name: string;
  /** How far it is: what git does, and how much of it is done, in percent. */
  readonly onProgress?: ((phase: string, percent: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Folders that are not whole yet. */
const STAGING = ".cloning-";
/** A large repository over a slow line. */
const CLONE_TIMEOUT_MS = 2 * 3_600_000;

/**
 * Clones a repository with its main work tree. It appears under its name once all of it is there; what a cancelled or
 * failed call has begun is removed, and what a killed one left by {@link sweepClones}. Asks nobody for anything: a
 * repository that needs a login is reached by the person's ssh keys or credential helper.
 * @returns its path
 * @throws workspace.invalid with what git said, timeout, cancelled
 */
export async function cloneRepository(git: HardenedGit, wanted: CloneRepository): Promise<string> {
  const { root, signal, from } = wanted;
  await mkdir(root, { recursive: true, mode: 0o700 });
  const staging = join(root, `${STAGING}${randomBytes(6).toString("hex")}`);
  const gitDir = join(staging, ".git");
  try {
    // No template: it could bring hooks. Filled afterwards, with every filter off.
    const options = ["--progress", "--no-checkout", "--template=", "--origin=origin"];
    const args = ["clone", ...options, "--", from.url, staging];
    const onStderr = wanted.onProgress && progressOf(wanted.onProgress);
    const timeoutMs = CLONE_TIMEOUT_MS;
    await git({ cwd: root, signal, args, protocols: CLONE_PROTOCOLS, asPerson: true, onStderr, timeoutMs });
    const head = await git({ gitDir, cwd: gitDir, signal, args: ["rev-parse", "--verify", "HEAD"], okExits: [0, 128] });
    if (head.exitCode !== 0) throw unfit(from, "it has no commit yet");
    const checkOut = ["reset", "--hard", "--quiet", "--no-recurse-submodules"];
    await git({ gitDir, workTree: staging, cwd: staging, signal, args: checkOut, timeoutMs });
    return await settle(staging, wanted);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (hasCode(error, "git.failed")) throw unfit(from, lastWords(String(error.details.stderr)), error);
    throw error;
  }
}

/** Removes what clones that were killed have left in `root`. None must be under way. */
export async function sweepClones(root: string): Promise<void> {
  const names = await readdir(root).catch(() => []);
  for (const name of names.filter((one) => one.startsWith(STAGING))) {
    await rm(join(root, name), { recursive: true, force: true });
  }
}

/** Takes the next free name by making the folder, then puts the clone in the empty folder's place. */
async function settle(staging: string, { root, name }: CloneRepository): Promise<string> {
  for (let n = 1; ; n++) {
    const path = join(root, n === 1 ? name : `${name}-${n}`);
    // Worktrees of an earlier repository of this name.
    if ((await stat(`${path}.lanes`).catch(() => null)) !== null) continue;
    try {
      await mkdir(path);
    } catch (caught) {
      if (errnoOf(caught) === "EEXIST") continue;
      throw caught;
    }
    await rename(staging, path);
    return path;
  }
}

/** `Receiving objects:  42% (42/100)`, many times over in one line. */
function progressOf(tell: (phase: string, percent: number) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const pieces = (rest + text).split(/[\r\n]/);
    rest = (pieces.pop() ?? "").slice(-200);
    const match = pieces.map((piece) => /^(?:remote: )?([A-Z][a-z ]{2,40}): +(\d{1,3})%/.exec(piece)).findLast(Boolean);
    if (match?.[1] && match[2]) tell(match[1].toLowerCase(), Math.min(100, Number(match[2])));
  };
}

function lastWords(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).map((line) => line.trim());
  const said = lines.filter((line) => line !== "" && !/^(?:Cloning into|remote: |[A-Z][a-z ]+: +\d+%)/.test(line));
  return said.join(" ").slice(0, 400);
}

function unfit(from: CloneUrl, why: string, cause?: unknown): AppError {
  return new AppError({
    code: "workspace.invalid",
    message: `${from.url} could not be cloned: ${why}`,
    hint: `try: git clone ${from.url}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
