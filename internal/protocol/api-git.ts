import * as z from "zod";

/** Shapes of what people see and do of a lane's work in git. Fields are only ever added. */

const count = z.number().int();

/** Why a changed file deserves a look before it reaches the host: programs there would execute what is in it. */
export const fileFlagSchema = z.object({
  /** Stable word, as `package-script`, `editor-task`, `direnv`, `agent-hook`, `ci`, `nested-repository`. */
  code: z.string(),
  message: z.string(),
});

export const diffFileSchema = z.object({
  path: z.string(),
  /** Where it was before, of a renamed or copied one. */
  oldPath: z.string().nullable(),
  status: z.enum(["added", "modified", "deleted", "renamed", "copied", "type-changed"]),
  /** Null for a binary one. */
  additions: count.nullable(),
  deletions: count.nullable(),
  binary: z.boolean(),
  /** It differs from the lane's last commit, or is in none. */
  uncommitted: z.boolean(),
  flags: z.array(fileFlagSchema),
});

/** What a lane has changed against its base, uncommitted work included. */
export const laneDiffSchema = z.object({
  lane: z.string(),
  /** The ref it is compared with, and the commit at which the lane left it. */
  base: z.object({ ref: z.string(), commit: z.string() }),
  /** The lane's last commit. */
  head: z.string(),
  files: z.array(diffFileSchema),
  additions: count,
  deletions: count,
  /** Unified diff of all files, or of the one asked for; null with `stat`. */
  patch: z.string().nullable(),
  /** The patch or the list of files was cut at its limit, or a file is too large to be compared. */
  truncated: z.boolean(),
  /** Why the lane's newest commits are not known here yet: what is in them counts as uncommitted. */
  stale: z.string().nullable().optional(),
});

const flag = z.enum(["0", "1", "false", "true"]).transform((value) => value === "1" || value === "true");

export const diffQuerySchema = z.strictObject({
  workspace: z.string().optional(),
  /** Only the list of files. */
  stat: flag.optional(),
  /** Binary files whole in the patch, so that `git apply` takes it. */
  binary: flag.optional(),
  /** Only this file, or what is below this folder. */
  path: z.string().min(1).max(4096).optional(),
  /** Another ref to compare with. */
  base: z.string().min(1).max(255).optional(),
});

export const mergeLaneSchema = z.strictObject({
  /** Branch; the lane's base when left out. */
  into: z.string().min(1).max(255).optional(),
  /** `auto`: fast-forward where possible, else a merge commit. */
  strategy: z.enum(["auto", "ff", "merge", "squash"]).optional(),
  message: z.string().min(1).max(65_536).optional(),
  /** Merge although files are flagged. */
  allowFlagged: z.boolean().optional(),
  /** Say what would be done. */
  dryRun: z.boolean().optional(),
});

export const laneMergeSchema = z.object({
  lane: z.string(),
  into: z.string(),
  /** `none`: there was nothing to merge. */
  strategy: z.enum(["none", "ff", "merge", "squash"]),
  /** The branch before and after. */
  before: z.string(),
  after: z.string(),
  /** How many commits of the lane came in. */
  commits: count,
  flagged: z.array(diffFileSchema),
  /** Paths of the lane that are in no commit, and so were not merged. */
  uncommitted: z.array(z.string()).optional(),
  dryRun: z.boolean(),
});

export type ApiDiffFile = z.infer<typeof diffFileSchema>;
export type ApiLaneDiff = z.infer<typeof laneDiffSchema>;
export type ApiLaneMerge = z.infer<typeof laneMergeSchema>;
export type MergeLane = z.infer<typeof mergeLaneSchema>;
