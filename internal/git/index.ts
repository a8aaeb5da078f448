export { type AddedWorktree, type AddWorktree, addWorktree } from "./add-worktree.ts";
export { describeRepository, type Repository } from "./describe-repository.ts";
export { GIT_TIMEOUT_MS, type GitCall, type GitResult, type HardenedGit, hardenedGit } from "./hardened-git.ts";
export type { GitEnv } from "./hardening.ts";
export { removeWorktree, renderLosses, type WorktreeLosses, worktreeLosses } from "./remove-worktree.ts";
export { type WorktreeQuery, type WorktreeStatus, worktreeStatus } from "./worktree-status.ts";
