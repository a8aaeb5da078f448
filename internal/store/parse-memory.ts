import * as z from "zod";
import type { LaneCause } from "../lane/index.ts";
import { parseStored } from "./parse-stored.ts";

/** What a lane keeps over a restart of the daemon: its failed starts (wall times, ms) and its sticky failure. */
export interface StoredLaneMemory {
  readonly failuresAtMs: readonly number[];
  readonly failed: { readonly cause: LaneCause; readonly logTail: readonly string[]; readonly atMs: number } | null;
}

const cause = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });

const memory = z.object({
  failuresAtMs: z.array(z.number()),
  failed: z.object({ cause, logTail: z.array(z.string()), atMs: z.number() }).nullable(),
});

/** The memory of a lane that never failed. */
export const EMPTY_MEMORY: StoredLaneMemory = { failuresAtMs: [], failed: null };

/** Stored JSON as a lane's memory. @throws store.corrupt */
export function parseMemory(text: string, at: { readonly path: string; readonly lane: string }): StoredLaneMemory {
  return parseStored(memory, text, { path: at.path, what: `lane ${at.lane}, memory` });
}
