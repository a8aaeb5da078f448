import * as z from "zod";
import { AGENT_EVENTS, agentSummarySchema } from "./agent-frames.ts";
import { credentialFileSchema } from "./credential-file.ts";
import { CREDENTIAL_LIMITS, CREDENTIAL_READ_MAX, GIT_LIMITS, LINK_EVENTS_PER_FRAME } from "./link-terms.ts";
import { branch, count, credentialPath, eventBase, generation, hex, id, jobError, oid } from "./link-values.ts";

/** The frames of the worker as schemas; `link-terms.ts` says how they are used. */

const jobResult = z.strictObject({
  exitCode: z.number().int().nullable(),
  signal: z.string().max(32).nullable(),
  stderrTail: z.string().max(16_384),
  truncated: z.boolean(),
  agent: agentSummarySchema.optional(),
});

const outcome = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("exited"), result: jobResult }),
  z.strictObject({ kind: z.literal("cancelled"), result: jobResult }),
  z.strictObject({ kind: z.literal("failed"), error: jobError, result: jobResult }),
]);

const output = {
  type: z.literal("output"),
  stream: z.enum(["stdout", "stderr"]),
  raw: z.literal(true).optional(),
};

/** One event as the worker sends and spools it; output, of which there is most, is tried first. */
export const workerEventSchema = z.union([
  z.strictObject({ ...eventBase, ...output, text: z.string() }),
  z.strictObject({ ...eventBase, ...output, base64: z.string() }),
  z.discriminatedUnion("type", [
    z.strictObject({ ...eventBase, type: z.literal("started"), pid: count }),
    z.strictObject({ ...eventBase, type: z.literal("gap"), bytes: count }),
    z.strictObject({ ...eventBase, type: z.literal("cancelling"), signal: z.string().max(16) }),
    z.strictObject({ ...eventBase, type: z.literal("finished"), outcome }),
    ...AGENT_EVENTS,
  ]),
]);

/** What the worker knows of an attempt. */
export const attemptReportSchema = z.strictObject({
  job: id,
  attempt: z.number().int().positive(),
  bodyHash: hex(32),
  state: z.enum(["accepted", "running", "finished"]),
  lastSeq: count,
});

/** One credential file as it was measured in the lane, by the agent's own identity. */
export const credentialProofSchema = z.strictObject({
  path: credentialPath,
  sha256: hex(32),
  /** Permission bits, 0o600 as 384. */
  mode: z.number().int().min(0).max(0o7777),
  /** Owner, as seen in the container. */
  uid: count,
});

/** What a heartbeat says of one attempt. */
const heartbeatSchema = z.object({
  job: id,
  attempt: z.number().int().positive(),
  /** What its processes have used so far; left out by workers that do not measure it. */
  usage: z.object({ processes: count, cpuTicks: count }).optional(),
});

/** Frames from the worker. */
export const workerFrameSchema = z.discriminatedUnion("t", [
  z.strictObject({
    t: z.literal("challenge"),
    protocol: z.number().int(),
    generation,
    nonce: hex(16),
    build: hex(32),
    boot: id,
    spool: id,
    pid: z.number().int().positive(),
    mac: hex(32),
  }),
  z.strictObject({ t: z.literal("welcome"), attempts: z.array(attemptReportSchema).max(10_000) }),
  /** Answer to `start` and `cancel`. */
  z.strictObject({
    t: z.literal("reply"),
    id: count,
    result: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("ok"), attempt: attemptReportSchema }),
      z.strictObject({ kind: z.literal("refused"), error: jobError }),
    ]),
  }),
  z.strictObject({
    t: z.literal("events"),
    job: id,
    attempt: z.number().int().positive(),
    events: z.array(workerEventSchema).min(1).max(LINK_EVENTS_PER_FRAME),
  }),
  z.strictObject({ t: z.literal("pong"), id: count }),
  /** Answer to `credentials`: what is there now, or why it could not be put there. */
  z.strictObject({
    t: z.literal("credentials.reply"),
    id: count,
    result: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("ok"), manifest: z.array(credentialProofSchema).max(CREDENTIAL_LIMITS.files) }),
      z.strictObject({ kind: z.literal("refused"), error: jobError }),
    ]),
  }),
  /** Answer to `credentials.read`: those that are there, or why they could not be read. */
  z.strictObject({
    t: z.literal("credentials.content"),
    id: count,
    result: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("ok"), files: z.array(credentialFileSchema).max(CREDENTIAL_READ_MAX) }),
      z.strictObject({ kind: z.literal("refused"), error: jobError }),
    ]),
  }),
  /** Answer to `git.fetch` (`tip`), `git.read` (`piece`), `git.advance` (`moved`) and `git.look` (`holdings`). */
  z.strictObject({
    t: z.literal("git.reply"),
    id: count,
    result: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("tip"), tip: oid.nullable(), bundleBytes: count.nullable() }),
      z.strictObject({ kind: z.literal("piece"), base64: z.base64().max(4 * Math.ceil(GIT_LIMITS.pieceBytes / 3)) }),
      z.strictObject({ kind: z.literal("moved") }),
      z.strictObject({
        kind: z.literal("holdings"),
        branches: z.array(z.strictObject({ name: branch, tip: oid })).max(GIT_LIMITS.branches),
        /** There are more branches than are named. */
        more: z.boolean(),
        /** The commit that HEAD names by itself; null while it is on a branch. */
        detached: oid.nullable(),
        stashes: count,
        /** Those that are there: commits that no remote has, and how many paths and stash entries are in no commit. */
        submodules: z
          .array(z.strictObject({ path: z.string().min(1).max(1024), commits: count, others: count }))
          .max(GIT_LIMITS.branches)
          .optional(),
      }),
      z.strictObject({ kind: z.literal("refused"), error: jobError }),
    ]),
  }),
  /**
   * Sent while attempts run. Not strict, unlike the others: a lane's worker may be older or newer than its host while
   * its job goes on, and a measure that one of them does not know must not cost the link.
   */
  z.object({
    t: z.literal("heartbeat"),
    running: z.array(heartbeatSchema).max(64),
  }),
  /** Whoever made this call of the lane is gone: nobody hears its answer. */
  z.strictObject({ t: z.literal("api.cancel"), id: count }),
  /** A call of the lane to the host API, through the relay. */
  z.strictObject({
    t: z.literal("api.request"),
    id: count,
    method: z.enum(["GET", "POST"]),
    path: z
      .string()
      .max(2048)
      .regex(/^\/v1\/lane\//),
    key: z.string().max(128).nullable(),
    body: z.string().max(262_144),
  }),
]);

export type WorkerFrame = z.infer<typeof workerFrameSchema>;
export type AttemptReport = z.infer<typeof attemptReportSchema>;
/** What a heartbeat says of one attempt. */
export type HeartbeatReport = z.infer<typeof heartbeatSchema>;
export type CredentialProof = z.infer<typeof credentialProofSchema>;
