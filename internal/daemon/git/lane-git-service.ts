import { rm } from "node:fs/promises";
import type { HardenedGit } from "../../git/index.ts";
import type { LaneGitService } from "../../hostapi/index.ts";
import type { Core } from "../core.ts";
import { createLaneDiff } from "./lane-diff.ts";
import { createLaneMerge } from "./lane-merge.ts";

/** What lanes have changed, and merging it. `scratch` is a folder only ours; what a dead daemon left in it goes. */
export async function openLaneGit(core: Core, git: HardenedGit, scratch: string): Promise<LaneGitService> {
  await rm(scratch, { recursive: true, force: true });
  return { diff: createLaneDiff(core, git, scratch), merge: createLaneMerge(core, git, scratch) };
}
