import { AppError } from "../base/index.ts";
import type { GitResult } from "./hardened-git.ts";

/** Asks the repository; exit codes 0, 1 and 128 are answers. */
export type GitQuery = (args: readonly string[]) => Promise<Pick<GitResult, "exitCode" | "stdout">>;

/** The branch a work tree is to be on, and where it comes from. */
export type ChosenBranch =
  | { readonly kind: "existing"; readonly branch: string; readonly commit: string }
  | {
      readonly kind: "new";
      readonly branch: string;
      readonly commit: string;
      /** The remote's branch that it follows; null for none. */
      readonly upstream: string | null;
    };

/** A ref is a file while it is being written, with `.lock` behind its name. */
const COMPONENT_MAX_BYTES = 255 - ".lock".length;
const BRANCH_MAX_BYTES = 1000;

/**
 * Which branch `wanted` means: the one there is; else, without `from`, the one that a single remote has under this name
 * (also as `<remote>/<name>`), as `git worktree add` guesses; else a new one at `from`, or at HEAD.
 * @throws usage.invalid for what is no name of a branch or of a commit
 */
export async function chooseBranch(query: GitQuery, wanted: string, from: string | null): Promise<ChosenBranch> {
  await checkBranchName(query, wanted);
  const tip = await commitOf(query, `refs/heads/${wanted}`);
  if (tip !== null) return { kind: "existing", branch: wanted, commit: tip };
  if (from !== null) return { kind: "new", branch: wanted, commit: await mustResolve(query, from), upstream: null };
  const guess = await guessRemote(query, wanted);
  if (guess === null) return { kind: "new", branch: wanted, commit: await mustResolve(query, "HEAD"), upstream: null };
  const { branch, upstream } = guess;
  const local = branch === wanted ? null : await commitOf(query, `refs/heads/${branch}`);
  if (local !== null) return { kind: "existing", branch, commit: local };
  return { kind: "new", branch, commit: await mustResolve(query, upstream), upstream };
}

/** Git itself says what is a name; of those that it reads as something else as well, none is taken. */
async function checkBranchName(query: GitQuery, branch: string): Promise<void> {
  const fits =
    !branch.startsWith("-") &&
    !/^(?:HEAD|[0-9a-f]{40}|[0-9a-f]{64})$/i.test(branch) &&
    Buffer.byteLength(branch) <= BRANCH_MAX_BYTES &&
    branch.split("/").every((part) => Buffer.byteLength(part) <= COMPONENT_MAX_BYTES);
  if (fits) {
    const checked = await query(["check-ref-format", "--branch", branch]);
    if (checked.exitCode === 0 && checked.stdout === branch) return;
  }
  throw new AppError({
    code: "usage.invalid",
    message: `not a branch name: ${JSON.stringify(branch.slice(0, 80))}`,
    hint: "see git help check-ref-format",
  });
}

async function guessRemote(
  query: GitQuery,
  wanted: string,
): Promise<{ readonly branch: string; readonly upstream: string } | null> {
  const remotes = (await query(["remote"])).stdout.split("\n").filter((name) => name !== "");
  const candidates = remotes.flatMap((remote) => [
    { branch: wanted, upstream: `refs/remotes/${remote}/${wanted}` },
    ...(wanted.startsWith(`${remote}/`)
      ? [{ branch: wanted.slice(remote.length + 1), upstream: `refs/remotes/${wanted}` }]
      : []),
  ]);
  const usable = candidates.filter(({ branch }) => branch !== "HEAD");
  if (usable.length === 0) return null;
  const shown = await query(["for-each-ref", "--format=%(refname)", "--", ...usable.map(({ upstream }) => upstream)]);
  const there = new Set(shown.stdout.split("\n"));
  const [found, ...more] = usable.filter(({ upstream }) => there.has(upstream));
  if (found === undefined || more.length === 0) return found ?? null;
  const names = [found, ...more].map(({ upstream }) => upstream.replace("refs/remotes/", ""));
  throw new AppError({
    code: "usage.invalid",
    message: `${names.join(" and ")} both have a branch of this name`,
    hint: `say which: --from ${names[0]}`,
  });
}

async function mustResolve(query: GitQuery, from: string): Promise<string> {
  const commit = await commitOf(query, from);
  if (commit !== null) return commit;
  throw new AppError({
    code: "usage.invalid",
    message: `there is no commit ${JSON.stringify(from.slice(0, 80))} in the repository`,
    hint: "name a branch, tag or commit that git rev-parse knows; fetch it first when it is on a remote",
  });
}

async function commitOf(query: GitQuery, name: string): Promise<string | null> {
  const found = await query(["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`]);
  return found.exitCode === 0 && /^[0-9a-f]{40,64}$/.test(found.stdout) ? found.stdout : null;
}
