import * as z from "zod";
import { credentialFileSchema } from "./credential-file.ts";
import { CREDENTIAL_LIMITS, CREDENTIAL_READ_MAX, GIT_LIMITS } from "./link-terms.ts";
import { branch, count, credentialPath, generation, hex, id, oid } from "./link-values.ts";

/**
 * The frames of the host as schemas; `link-terms.ts` says how they are used. Apart from the worker's own frames,
 * which the worker never parses: building schemas costs a start of it about 3 ms.
 */

/** A tree of settings that are no secrets. */
type AgentSettings = { [key: string]: string | boolean | AgentSettings };
const agentSettings: z.ZodType<AgentSettings> = z.record(
  z.string(),
  z.lazy(() => z.union([z.string(), z.boolean(), agentSettings])),
);

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
  /** Of prompts: whose stream stdout is. Left out for commands, which workers of all builds can run. */
  agent: z.string().max(64).optional(),
  /** Settings that are to be in JSON files below the agent's home before it starts, and links that are to be there. */
  files: z
    .array(
      z.union([
        z.strictObject({ path: credentialPath, settings: agentSettings }),
        z.strictObject({ path: credentialPath, link: z.string().startsWith("/").max(4096) }),
      ]),
    )
    .max(16)
    .optional(),
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
  /** What is now in these files of the agent's home? Only asked of a worker of the host's own build: others do not know it. */
  z.strictObject({
    t: z.literal("credentials.read"),
    id: count,
    paths: z.array(credentialPath).min(1).max(CREDENTIAL_READ_MAX),
  }),
  /** Asks for the branch's tip, and has the commits that none of `have` has made ready as a bundle. */
  z.strictObject({ t: z.literal("git.fetch"), id: count, branch, have: z.array(oid).max(GIT_LIMITS.tips) }),
  /** Asks for the next piece of that bundle. */
  z.strictObject({ t: z.literal("git.read"), id: count, offset: count }),
  /** Moves the branch in the lane, which the host has moved, unless something is under way there. */
  z.strictObject({ t: z.literal("git.advance"), id: count, branch, from: oid, to: oid }),
  /** Asks what the lane's git dir holds beside its branch. Only asked of a worker of the host's own build. */
  z.strictObject({ t: z.literal("git.look"), id: count }),
  z.strictObject({
    t: z.literal("api.response"),
    id: count,
    status: z.number().int(),
    contentType: z.string(),
    body: z.string(),
  }),
]);

export type HostFrame = z.infer<typeof hostFrameSchema>;
export type StartWork = z.infer<typeof startWorkSchema>;
