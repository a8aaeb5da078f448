import type { HardenedGit } from "./hardened-git.ts";

/** How a branch's work has come into another one. `content`: as other commits, rebased or squashed. */
export type Merged = "ancestor" | "content";

/** Comparing commits by what they change can take long. */
const COMPARE_TIMEOUT_MS = 20_000;

/**
 * Has `base` all the work of `branch`? Null: no, or one of them is not there.
 * @throws git.failed, timeout, cancelled
 */
export async function howMerged(
  git: HardenedGit,
  query: {
    readonly gitDir: string;
    /** Short name. */
    readonly branch: string;
    /** Any name of a commit. */
    readonly base: string;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Merged | null> {
  const { gitDir, branch, base, signal } = query;
  const ask = (args: readonly string[]) =>
    git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1, 128], timeoutMs: COMPARE_TIMEOUT_MS });
  const find = async (name: string) => {
    const found = await ask(["rev-parse", "--verify", "--quiet", "--end-of-options", name]);
    return found.exitCode === 0 ? found.stdout : null;
  };
  const [tip, into] = [await find(`refs/heads/${branch}^{commit}`), await find(`${base}^{commit}`)];
  if (tip === null || into === null) return null;
  if ((await ask(["merge-base", "--is-ancestor", tip, into])).exitCode === 0) return "ancestor";
  const [ours, theirs] = [await find(`${tip}^{tree}`), await find(`${into}^{tree}`)];
  if (ours !== null && ours === theirs) return "content";
  const picked = await ask(["cherry", into, tip]);
  const lines = picked.stdout.split("\n").filter((line) => line !== "");
  return picked.exitCode === 0 && lines.length > 0 && lines.every((line) => line.startsWith("- ")) ? "content" : null;
}

/**
 * Deletes a branch that no work tree has, if it still stands at `tip`, with what its configuration says of it.
 * @throws git.failed when it has moved
 */
export async function deleteBranch(
  git: HardenedGit,
  wanted: { readonly gitDir: string; readonly branch: string; readonly tip: string },
): Promise<void> {
  const { gitDir, branch, tip } = wanted;
  await git({ gitDir, cwd: gitDir, args: ["update-ref", "--no-deref", "-d", `refs/heads/${branch}`, tip] });
  const section = ["config", "--local", "--remove-section", `branch.${branch}`];
  await git({ gitDir, cwd: gitDir, args: section, okExits: [0, 1, 2, 3, 5, 128] });
}

/** The commit of a branch; null when it is not there. */
export async function tipOfBranch(
  git: HardenedGit,
  query: { readonly gitDir: string; readonly branch: string; readonly signal?: AbortSignal | undefined },
): Promise<string | null> {
  const { gitDir, branch, signal } = query;
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `refs/heads/${branch}^{commit}`];
  const found = await git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1] });
  return found.exitCode === 0 ? found.stdout : null;
}
