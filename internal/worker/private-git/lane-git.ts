import { closeSync, lstatSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { JobError } from "../../job/index.ts";
import { BOOT_GIT, IN_LANE } from "../../lane/index.ts";
import type { WorkerFrame } from "../../protocol/index.ts";
import { GIT_LIMITS } from "../../protocol/link-terms.ts";
import type { ProcessIdentity } from "../identity.ts";
import { DEFAULT_PATH } from "../job-env.ts";
import type { WorkerLog } from "../log.ts";
import { ADVANCE_SCRIPT, HELD, LOOK_SCRIPT, PREPARE_SCRIPT } from "./git-scripts.ts";
import { parseHoldings } from "./holdings.ts";
import { runAsAgent } from "./run-as-agent.ts";

/** Answer to a question about the lane's git. */
export type GitReply = Extract<WorkerFrame, { readonly t: "git.reply" }>["result"];

/** Git in the lane: always run as the agent's user, who owns the git dir and may well have forged every answer. */
export interface LaneGit extends HostGit {
  /** Makes the private git dir from the host's seed, or finishes it. A failure is logged. Never rejects. */
  prepare(): Promise<void>;
}

/** What the host asks of it; `git.…` frames say what. */
export interface HostGit {
  /** Calls are answered one after the other. None rejects. */
  fetch(query: { readonly branch: string; readonly have: readonly string[] }): Promise<GitReply>;
  read(offset: number): Promise<GitReply>;
  advance(move: { readonly branch: string; readonly from: string; readonly to: string }): Promise<GitReply>;
  look(): Promise<GitReply>;
}

/** What git in the lane needs. */
export interface LaneGitDeps {
  readonly bootDir: string;
  readonly stateDir: string;
  readonly home: string;
  /** PATH of the container. */
  readonly path: string | undefined;
  readonly identity: ProcessIdentity;
  readonly log: WorkerLog;
}

const PREPARE_MS = 30_000;
const ASK_MS = 20_000;
const BUNDLE_MS = 120_000;
/** How git refuses a bundle without commits. */
const NOTHING_NEW = "Refusing to create empty bundle";

/** The lane's git. */
export function createLaneGit(deps: LaneGitDeps): LaneGit {
  const { identity, log } = deps;
  const gitDir = join(deps.stateDir, "git");
  const seed = join(deps.bootDir, BOOT_GIT.seed);
  const bundleFile = join(deps.stateDir, "bundle");
  const env = {
    HOME: deps.home,
    PATH: deps.path ?? DEFAULT_PATH,
    LC_ALL: "C",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
  };
  const run = (argv: readonly string[], timeoutMs: number, onOutput?: (bytes: Buffer) => boolean) =>
    runAsAgent({ identity, argv, env, timeoutMs, onOutput });
  const git = (...args: string[]) => ["git", "-C", IN_LANE.workspace, ...args];
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (fn: () => Promise<GitReply>): Promise<GitReply> => {
    const reply = last.then(fn).catch((error: Error) => refuse("git_failed", error.message));
    last = reply;
    return reply;
  };
  let known: { readonly mark: string; readonly reply: GitReply } | null = null;

  const ask = async (branch: string, have: readonly string[]): Promise<GitReply> => {
    const ref = `refs/heads/${branch}`;
    const shown = await run(git("for-each-ref", "--format=%(objectname) %(refname)", "--", ref), ASK_MS);
    if (shown.code !== 0) return refuse("git_failed", shown.reason);
    const line = shown.stdout.split("\n").find((text) => text.endsWith(` ${ref}`));
    const tip = line === undefined ? null : line.slice(0, line.indexOf(" "));
    if (tip !== null && !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(tip))
      return refuse("git_failed", "git names no commit");
    if (tip === null || have.includes(tip)) return { kind: "tip", tip, bundleBytes: null };
    const not = have.map((oid) => `^${oid}`);
    return bundle(tip, ref, not);
  };
  const bundle = async (tip: string, ref: string, not: readonly string[]): Promise<GitReply> => {
    rmSync(bundleFile, { force: true });
    const file = openSync(bundleFile, "wx", 0o600);
    let bytes = 0;
    try {
      const end = await run(git("bundle", "create", "--quiet", "-", ref, ...not), BUNDLE_MS, (part) => {
        bytes += part.length;
        if (bytes > GIT_LIMITS.bundleBytes) return false;
        writeSync(file, part);
        return true;
      });
      if (bytes > GIT_LIMITS.bundleBytes)
        return refuse("too_large", `the new commits of ${ref} take more than ${GIT_LIMITS.bundleBytes} bytes`);
      // The branch was moved back to what the host has.
      if (end.code !== 0 && end.reason.includes(NOTHING_NEW)) {
        rmSync(bundleFile, { force: true });
        return { kind: "tip", tip, bundleBytes: null };
      }
      return end.code === 0 ? { kind: "tip", tip, bundleBytes: bytes } : refuse("git_failed", end.reason);
    } finally {
      closeSync(file);
    }
  };

  return {
    prepare: async () => {
      const end = await run(["/bin/sh", "-c", PREPARE_SCRIPT, "sh", seed, gitDir], PREPARE_MS);
      if (end.code === 0) log.info("git dir made");
      else log.warn("git dir not made", { reason: end.reason });
    },
    fetch: ({ branch, have }) =>
      inTurn(async () => {
        const mark = [branch, ...have, markOf(gitDir, branch)].join("\n");
        // Nothing has moved since the last look: no process is needed to say so.
        if (known?.mark === mark) return known.reply;
        known = null;
        const reply = await ask(branch, have);
        if (reply.kind === "tip" && reply.bundleBytes === null) known = { mark, reply };
        return reply;
      }),
    read: (offset) => inTurn(async () => readPiece(bundleFile, offset)),
    advance: ({ branch, from, to }) =>
      inTurn(async () => {
        const argv = ["/bin/sh", "-c", ADVANCE_SCRIPT, "sh", IN_LANE.workspace, branch, from, to];
        const end = await run(argv, ASK_MS);
        if (end.code === 0) return { kind: "moved" };
        const held = end.code === null ? undefined : HELD[end.code];
        return held === undefined ? refuse("git_failed", end.reason) : refuse("held", held);
      }),
    look: () =>
      inTurn(async () => {
        const max = String(GIT_LIMITS.branches + 1);
        const end = await run(["/bin/sh", "-c", LOOK_SCRIPT, "sh", IN_LANE.workspace, max], ASK_MS);
        return end.code === 0 ? toHoldings(end.stdout) : refuse("git_failed", end.reason);
      }),
  };
}

function toHoldings(shown: string): GitReply {
  const holdings = parseHoldings(shown);
  return holdings === null ? refuse("git_failed", "git says nothing of stashes") : { kind: "holdings", ...holdings };
}

function readPiece(path: string, offset: number): GitReply {
  const size = statSync(path).size;
  const buffer = Buffer.alloc(Math.max(0, Math.min(GIT_LIMITS.pieceBytes, size - offset)));
  const file = openSync(path, "r");
  try {
    const read = readSync(file, buffer, 0, buffer.length, offset);
    // Behind its last piece the bundle is of no use any more.
    if (offset + read >= size) rmSync(path, { force: true });
    return { kind: "piece", base64: buffer.toString("base64", 0, read) };
  } finally {
    closeSync(file);
  }
}

/** Changes whenever the branch does: the agent could forge it, and would only hide its own commits for a while. */
function markOf(gitDir: string, branch: string): string {
  return [join("refs/heads", branch), "packed-refs"]
    .map((path) => {
      try {
        const { ino, size, mtimeNs } = lstatSync(join(gitDir, path), { bigint: true });
        return `${ino}:${size}:${mtimeNs}`;
      } catch (caught) {
        const { code } = caught as NodeJS.ErrnoException;
        // What cannot be looked at is looked up each time.
        return code === "ENOENT" || code === "ENOTDIR" ? "none" : String(Math.random());
      }
    })
    .join(" ");
}

function refuse(code: string, message: string): GitReply {
  const error: JobError = { code, message: message.slice(0, 4096) };
  return { kind: "refused", error };
}
