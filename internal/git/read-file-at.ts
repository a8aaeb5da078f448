import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../base/index.ts";
import type { HardenedGit } from "./hardened-git.ts";

/** A file as a commit has it. */
interface FileAt {
  readonly commit: string;
  /** Null: the commit has no such file. */
  readonly text: string | null;
}

/**
 * Reads a file at the root of a commit's tree, from the repository's objects alone: no work tree, link or filter is
 * looked at. `ref`: anything that names a commit.
 * @throws config.invalid when nothing of the name is a commit, and for what is no plain file of at most `maxBytes`
 */
export async function readFileAt(
  git: HardenedGit,
  at: {
    readonly gitDir: string;
    readonly ref: string;
    readonly file: string;
    readonly maxBytes: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<FileAt> {
  const { gitDir, ref, file, maxBytes, signal } = at;
  const call = (...args: readonly string[]) => git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1, 128] });
  const found = await call("rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`);
  const commit = found.stdout;
  if (found.exitCode !== 0 || !/^[0-9a-f]{40,64}$/.test(commit)) {
    throw invalid(
      `${JSON.stringify(ref)} names no commit of ${gitDir}`,
      "choose another base: lane set <lane> base=<branch>",
    );
  }
  const listed = await git({
    gitDir,
    cwd: gitDir,
    signal,
    args: ["ls-tree", "-z", "-l", "--full-tree", commit, "--", file],
  });
  const entry = /^(\d+) (\w+) ([0-9a-f]+) +(\d+|-)\t/.exec(listed.stdout);
  if (entry === null) return { commit, text: null };
  const [, mode = "", type, blob = "", size] = entry;
  if (type !== "blob" || !mode.startsWith("100"))
    throw invalid(`${file}:1: is no plain file in ${commit.slice(0, 12)}`);
  if (!(Number(size) <= maxBytes))
    throw invalid(`${file}:1: is ${size} bytes long in ${commit.slice(0, 12)}`, `at most ${maxBytes} are read`);
  const { stdout } = await git({ gitDir, cwd: gitDir, signal, args: ["cat-file", "blob", blob] });
  return { commit, text: stdout };
}

/**
 * A text that changes whenever `ref` may name another commit; made without git. `HEAD` follows the branch it names.
 */
export async function markOfRef(gitDir: string, ref: string): Promise<string> {
  const head = await readFile(join(gitDir, "HEAD"), "utf8").catch(() => "");
  const named = ref === "HEAD" ? (/^ref: (\S+)/.exec(head)?.[1] ?? null) : null;
  const short = [
    ref,
    join("refs", ref),
    join("refs", "heads", ref),
    join("refs", "tags", ref),
    join("refs", "remotes", ref),
  ];
  const paths = [...(named === null ? short : [named]), "packed-refs", join("reftable", "tables.list")];
  const marks = paths.map(async (path) => {
    if (path.split("/").includes("..")) return "none";
    const found = await lstat(join(gitDir, path), { bigint: true }).catch(() => null);
    return found === null ? "none" : `${found.ino}:${found.size}:${found.mtimeNs}`;
  });
  return [ref === "HEAD" ? head : "", ...(await Promise.all(marks))].join(" ");
}

function invalid(message: string, hint?: string): AppError {
  return new AppError({ code: "config.invalid", message, hint });
}
