import * as z from "zod";

/** Query parameters of the host API. Strict: an unknown parameter is refused. */

/** Longest `wait` a caller may ask for. */
export const WAIT_MAX_MS = 24 * 3_600_000;

/** What `ensure`, `start` and `restart` wait for when the caller says nothing. */
export const WAIT_DEFAULT_MS = 120_000;

const whole = z.coerce.number<string>().int().min(0);
const flag = z.enum(["0", "1", "false", "true"]).transform((text) => text === "1" || text === "true");
/** Id or name of the workspace that is preferred when a lane's name is not unique. */
const workspace = z.string().optional();
const limit = (max: number) => whole.min(1).max(max).optional();

export const laneQuerySchema = z.strictObject({ workspace });
export const waitQuerySchema = z.strictObject({ workspace, wait: whole.max(WAIT_MAX_MS).optional() });
export const recreateQuerySchema = z.strictObject({
  workspace,
  wait: whole.max(WAIT_MAX_MS).optional(),
  now: flag.optional(),
});
export const repositoryQuerySchema = z.strictObject({ base: z.string().min(1).max(255).optional() });
/** `deleteBranch`: the branch too, if its work is in the lane's base. */
export const removeLaneQuerySchema = z.strictObject({
  workspace,
  force: flag.optional(),
  deleteBranch: flag.optional(),
});
/** `git`: look at each lane's worktree too, which takes a moment. */
export const lanesQuerySchema = z.strictObject({ git: flag.optional() });
export const planIntentSchema = z.enum(["ensure", "stop", "restart", "recreate", "remove"]);
export const planQuerySchema = z.strictObject({ workspace, intent: planIntentSchema.optional() });
export const historyQuerySchema = z.strictObject({ workspace, limit: limit(1000) });
export const logsQuerySchema = z.strictObject({ workspace, lines: limit(10_000) });
/** `before`: id of the oldest job of the page before. */
export const jobsQuerySchema = z.strictObject({ limit: limit(1000), before: z.string().optional() });
export const laneJobsQuerySchema = jobsQuerySchema.extend({ workspace });
export const jobEventsQuerySchema = z.strictObject({
  after: whole.optional(),
  limit: limit(10_000),
  follow: flag.optional(),
});
export const feedQuerySchema = z.strictObject({
  after: whole.optional(),
  limit: limit(10_000),
  /** `follow=0` answers one page of what is stored instead of a stream. */
  follow: flag.optional(),
});
export const removeAgentQuerySchema = z.strictObject({ version: z.string().min(1) });
export const emptyQuerySchema = z.strictObject({});

export type PlanIntent = z.infer<typeof planIntentSchema>;
