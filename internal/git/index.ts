export { type AddedWorktree, type AddWorktree, addWorktree } from "./add-worktree.ts";
export { deleteBranch, howMerged, tipOfBranch } from "./branch-merged.ts";
export { cloneRepository, sweepClones } from "./clone-repository.ts";
export { parseCloneUrl } from "./clone-url.ts";
export { describeRepository, type Repository } from "./describe-repository.ts";
export { GIT_TIMEOUT_MS, type GitCall, type GitResult, type HardenedGit, hardenedGit } from "./hardened-git.ts";
export type { GitEnv } from "./hardening.ts";
export { diffLane } from "./lane-diff.ts";
export { countOnlyInLane, countUnimported, markOfBranch, removeLaneRefs } from "./lane-refs.ts";
export { hasOwnConfig, laneConfig, type SeedFile, seedOfLane } from "./lane-seed.ts";
export { laneTip } from "./lane-tip.ts";
export { countMissingLfs } from "./lfs-objects.ts";
export { locateGitDir } from "./locate-repository.ts";
export { mergeLane } from "./merge-lane.ts";
export { noticesOf } from "./notices.ts";
export { onlyInLane } from "./only-in-lane.ts";
export { pushBranch } from "./push-branch.ts";
export { markOfRef, readFileAt } from "./read-file-at.ts";
export {
  countIgnored,
  releaseWorktree,
  removeWorktree,
  renderLosses,
  type WorktreeLosses,
  worktreeLosses,
} from "./remove-worktree.ts";
export { type LaneSide, type SyncOutcome, syncLane } from "./sync-lane.ts";
export { startOfWorktree } from "./worktree-mark.ts";
export { type WorktreeQuery, type WorktreeStatus, worktreeStatus } from "./worktree-status.ts";
