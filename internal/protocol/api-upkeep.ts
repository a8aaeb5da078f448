import * as z from "zod";

/** Shapes of what is done to keep house: removing lanes, looking what could go, what takes room. Fields are only ever added. */

const bytes = z.number().int().nullable();

/** A lane that is gone. */
export const removedLaneSchema = z.object({
  id: z.string(),
  name: z.string(),
  removed: z.literal(true),
  /** What went with it, a line each; only with `force` there is something. */
  lost: z.array(z.string()),
  /** Ignored paths that went with the worktree; they keep no lane from being removed. */
  ignored: z.number().int(),
  /** The worktree was there before the lane and has stayed. */
  worktreeKept: z.boolean(),
  branch: z.string(),
  branchDeleted: z.boolean(),
});

/** A lane whose work is in its base. */
export const prunableLaneSchema = z.object({
  lane: z.string(),
  name: z.string(),
  workspace: z.string(),
  branch: z.string(),
  base: z.string(),
  /** `content`: as other commits, rebased or squashed. */
  merged: z.enum(["ancestor", "content"]),
  /** Why it is to stay all the same; null: nothing would be lost. */
  blocked: z.string().nullable(),
});

/** Images with packages that no lane wanted any more. */
export const prunedImagesSchema = z.object({ removed: z.array(z.string()) });

/** What a lane takes on the disk; null where that was not to be found out. */
export const laneDiskSchema = z.object({
  lane: z.string(),
  worktreeBytes: bytes,
  /** Its private git dir, the agent's home, records of its jobs. */
  volumeBytes: bytes,
  /** What was written in the container beside these. */
  containerBytes: bytes,
  /** Some of it could not be read, or there was no time: it is at least this. */
  partial: z.boolean(),
});

/** A clone that is under way. */
export const cloneProgressSchema = z.object({
  url: z.string(),
  name: z.string(),
  /** Git's words, as `receiving objects`. */
  phase: z.string(),
  percent: z.number().int(),
});

export type ApiRemovedLane = z.infer<typeof removedLaneSchema>;
export type ApiPrunedImages = z.infer<typeof prunedImagesSchema>;
export type ApiPrunableLane = z.infer<typeof prunableLaneSchema>;
export type ApiLaneDisk = z.infer<typeof laneDiskSchema>;
export type ApiCloneProgress = z.infer<typeof cloneProgressSchema>;
