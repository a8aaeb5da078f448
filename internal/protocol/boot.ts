import * as z from "zod";
import { count, generation, hex, id } from "./link-values.ts";

/** What a worker is told before it starts, and what it answers before it is linked. */

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
