import type { Config, GitCall, GitResult, HardenedGit } from "./hardened-git.ts";

/** Subjects in the message of a squash. */
const SUBJECTS_MAX = 50;

/**
 * Configuration that has every merge driver among the names {@link LIST_CONFIG} printed fail, which is a conflict. An
 * empty one would pass for a merge that took nothing.
 */
export function driversOff(listed: string): Config {
  const names = new Set<string>();
  for (const key of listed.split("\0")) {
    const name = /^merge\.(.+)\.driver$/s.exec(key)?.[1];
    if (name !== undefined) names.add(name);
  }
  return [...names].map((name) => [`merge.${name}.driver`, "false"] as const);
}

/**
 * Files that both sides have changed and that the branch's attributes give to a merge driver, or to nobody (`-merge`).
 * No driver is run, and git would merge them line by line. The index is the branch's.
 */
export async function drivenFiles(
  run: (args: readonly string[], more?: Partial<GitCall>) => Promise<GitResult>,
  before: string,
  head: string,
): Promise<readonly string[]> {
  const base = (await run(["merge-base", "--", before, head], { okExits: [0, 1] })).stdout.split("\n")[0];
  if (!base) return [];
  const changed = async (to: string) =>
    (await run(["diff-tree", "-r", "--name-only", "--no-renames", "-z", base, to])).stdout.split("\0");
  const theirs = new Set(await changed(head));
  const both = (await changed(before)).filter((path) => path !== "" && theirs.has(path));
  if (both.length === 0) return [];
  const stdin = both.map((path) => `${path}\0`).join("");
  const fields = (await run(["check-attr", "--cached", "-z", "--stdin", "merge"], { stdin })).stdout.split("\0");
  return both.filter((_, n) => !["unspecified", "set", "text"].includes(fields[n * 3 + 2] ?? "unspecified"));
}

/** The message of a merge commit when nobody wrote one. */
export function mergeMessage(wanted: { readonly lane: string; readonly into: string }): string {
  return `Merge lane '${wanted.lane}' into ${wanted.into}`;
}

/** The message of a squash: the one commit's own, or the subjects of all, oldest first. They are the lane's words. */
export async function squashMessage(
  git: HardenedGit,
  wanted: {
    readonly gitDir: string;
    readonly lane: string;
    readonly before: string;
    readonly head: string;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<string> {
  const { gitDir, lane, before, head, signal } = wanted;
  const args = ["log", "--no-merges", "--reverse", "-z", "--format=%B", `${before}..${head}`, "--"];
  const { stdout } = await git({ gitDir, cwd: gitDir, signal, args });
  const messages = stdout
    .split("\0")
    .map((text) => toHarmless(text).trim())
    .filter((text) => text !== "");
  if (messages.length === 1) return messages[0] ?? "";
  const subjects = messages.map((text) => `* ${text.split("\n")[0]}`);
  const more = subjects.length > SUBJECTS_MAX ? [`* and ${subjects.length - SUBJECTS_MAX} more`] : [];
  return [`Squash lane '${lane}'`, "", ...subjects.slice(0, SUBJECTS_MAX), ...more].join("\n");
}

/** Without control characters: the message is shown on the developer's terminal for years. */
function toHarmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, "");
}
