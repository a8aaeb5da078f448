import * as z from "zod";
import { CREDENTIAL_LIMITS, isCredentialPath, LINK_EVENTS_PER_FRAME } from "./link-terms.ts";

/** The frames of the worker link as schemas; `link-terms.ts` says how they are used. */

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const id = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9_-]+$/);
const count = z.number().int().nonnegative();
const generation = z.number().int().positive();

const jobResult = z.strictObject({
  exitCode: z.number().int().nullable(),
  signal: z.string().max(32).nullable(),
  stderrTail: z.string().max(16_384),
  truncated: z.boolean(),
});

const jobError = z.strictObject({ code: z.string().max(64), message: z.string().max(4096) });

const outcome = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("exited"), result: jobResult }),
  z.strictObject({ kind: z.literal("cancelled"), result: jobResult }),
  z.strictObject({ kind: z.literal("failed"), error: jobError, result: jobResult }),
]);

const eventBase = { seq: z.number().int().positive(), atMs: count };
const stream = z.enum(["stdout", "stderr"]);

/** One event as the worker sends and spools it. */
export const workerEventSchema = z.union([
  z.strictObject({ ...eventBase, type: z.literal("output"), stream, text: z.string() }),
  z.strictObject({ ...eventBase, type: z.literal("output"), stream, base64: z.string() }),
  z.strictObject({ ...eventBase, type: z.literal("started"), pid: count }),
  z.strictObject({ ...eventBase, type: z.literal("gap"), bytes: count }),
  z.strictObject({ ...eventBase, type: z.literal("cancelling"), signal: z.string().max(16) }),
  z.strictObject({ ...eventBase, type: z.literal("finished"), outcome }),
]);

/** What the worker knows of an attempt. */
export const attemptReportSchema = z.strictObject({
  job: id,
  attempt: z.number().int().positive(),
  bodyHash: hex(32),
  state: z.enum(["accepted", "running", "finished"]),
  lastSeq: count,
});

/** The work itself, already resolved to what is executed. */
export const startWorkSchema = z.strictObject({
  argv: z.array(z.string().max(131_072)).min(1).max(1024),
  /** Additional environment of this process. */
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  /** Bytes for stdin, UTF-8; null closes it at once. */
  stdin: z.string().nullable(),
  /** ms from the start; null for none. */
  deadlineMs: z.number().int().positive().nullable(),
  /** Output beyond this many bytes is cut and marked. */
  outputCapBytes: z.number().int().positive(),
});

const credentialPath = z.string().refine(isCredentialPath, "not a path below the agent's home");

/** One credential file as it is delivered. `path` is relative to the agent's home. */
export const credentialFileSchema = z.strictObject({
  path: credentialPath,
  base64: z.base64().max(4 * Math.ceil(CREDENTIAL_LIMITS.fileBytes / 3)),
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

/** Frames from the host. */
export const hostFrameSchema = z.discriminatedUnion("t", [
  z.strictObject({ t: z.literal("hello"), protocol: z.number().int(), generation, nonce: hex(16) }),
  z.strictObject({ t: z.literal("proof"), mac: hex(32) }),
  z.strictObject({ t: z.literal("resume"), acked: z.record(z.string(), count) }),
  z.strictObject({
    t: z.literal("start"),
    id: count,
    job: id,
    attempt: z.number().int().positive(),
    generation,
    bodyHash: hex(32),
    work: startWorkSchema,
  }),
  z.strictObject({ t: z.literal("cancel"), id: count, job: id, attempt: z.number().int().positive() }),
  z.strictObject({ t: z.literal("ack"), job: id, attempt: z.number().int().positive(), seq: count }),
  z.strictObject({ t: z.literal("ping"), id: count }),
  /** All credentials the lane is to have; what an earlier frame delivered and this one does not is removed. */
  z.strictObject({
    t: z.literal("credentials"),
    id: count,
    files: z.array(credentialFileSchema).max(CREDENTIAL_LIMITS.files),
  }),
  z.strictObject({
    t: z.literal("api.response"),
    id: count,
    status: z.number().int(),
    contentType: z.string(),
    body: z.string(),
  }),
]);

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
  z.strictObject({
    t: z.literal("heartbeat"),
    running: z.array(z.strictObject({ job: id, attempt: z.number().int().positive() })).max(64),
  }),
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

export type HostFrame = z.infer<typeof hostFrameSchema>;
export type WorkerFrame = z.infer<typeof workerFrameSchema>;
export type AttemptReport = z.infer<typeof attemptReportSchema>;
export type StartWork = z.infer<typeof startWorkSchema>;
export type CredentialFile = z.infer<typeof credentialFileSchema>;
export type CredentialProof = z.infer<typeof credentialProofSchema>;

/** Answer of `GET /readyz?nonce=`. */
export const readyAnswerSchema = z.object({
  ready: z.boolean(),
  generation,
  protocol: z.number().int(),
  build: hex(32),
  boot: id,
  pid: z.number().int().positive(),
  mac: hex(32),
});

export type ReadyAnswer = z.infer<typeof readyAnswerSchema>;

/** `/run/lane/bootstrap.json`, written by the host before the container starts. The secret is in a file of its own. */
export const bootstrapSchema = z.strictObject({
  laneId: z.string(),
  laneName: z.string(),
  workspaceId: z.string(),
  generation,
  build: hex(32),
  agentUid: count,
  agentGid: count,
});

export type Bootstrap = z.infer<typeof bootstrapSchema>;
