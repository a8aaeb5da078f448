import type { HardenedGit } from "./hardened-git.ts";

/** More commits than this are not looked through: then nothing is taken for safe. */
const COMMITS_MAX = 10_000;

/**
 * Which of these commits, of a lane's own branches, no branch, tag or remote of the repository has. They go with the
 * lane.
 * @param query.tips ids of objects, which may not be there at all
 */
export async function onlyInLane(
  git: HardenedGit,
  query: { readonly gitDir: string; readonly tips: readonly string[]; readonly signal?: AbortSignal | undefined },
): Promise<ReadonlySet<string>> {
  const { gitDir, signal } = query;
  const tips = [...new Set(query.tips)];
  if (tips.length === 0) return new Set();
  const at = { gitDir, cwd: gitDir, signal };
  const stdin = tips.map((tip) => `${tip}\n`).join("");
  const shown = await git({ ...at, args: ["cat-file", "--batch-check=%(objectname) %(objecttype)"], stdin });
  const commits = shown.stdout.split("\n").filter((line) => line.endsWith(" commit"));
  const there = new Set(commits.map((line) => line.slice(0, line.indexOf(" "))));
  const known = tips.filter((tip) => there.has(tip));
  const only = new Set(tips.filter((tip) => !there.has(tip)));
  if (known.length === 0) return only;
  const all = ["--not", "--branches", "--tags", "--remotes", "--"];
  const listed = await git({ ...at, args: ["rev-list", `--max-count=${COMMITS_MAX}`, ...known, ...all] });
  const lines = listed.stdout.split("\n").filter((line) => line !== "");
  const loose = new Set(lines);
  for (const tip of known) if (loose.has(tip) || lines.length >= COMMITS_MAX) only.add(tip);
  return only;
}
