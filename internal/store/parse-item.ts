import * as z from "zod";
import { INBOX_KINDS, type InboxItem, type InboxState } from "../job/index.ts";
import { parseStored } from "./parse-stored.ts";

/** A row of `inbox_items`, without what serves indexes only. */
export interface ItemRow {
  readonly id: string;
  readonly kind: string;
  readonly lane: string | null;
  readonly job: string | null;
  readonly attempt: number | null;
  readonly subject: string | null;
  readonly state: string;
  readonly facts: string;
  readonly delivered: number;
  readonly created_at: number;
  readonly changed_at: number;
  readonly expires_at: number | null;
}

const by = z.enum(["page", "cli", "default", "policy", "system"]);
const atMs = z.number();

const stateSchema: z.ZodType<InboxState> = z.discriminatedUnion("phase", [
  z.object({ phase: z.literal("open") }),
  z.object({ phase: z.literal("snoozed"), untilMs: z.number() }),
  z.object({ phase: z.literal("answered"), answer: z.string(), by, atMs }),
  z.object({ phase: z.literal("done"), by, atMs }),
  z.object({ phase: z.literal("expired"), atMs }),
]);

const factsSchema = z.object({
  title: z.string(),
  body: z.string(),
  choices: z.array(z.string()),
  fallback: z.string().nullable(),
  urgency: z.enum(["low", "normal", "high"]),
  occurrence: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
  // Not there in what was stored before it was kept.
  isRead: z.boolean().default(false),
});

const kindSchema = z.enum(INBOX_KINDS);

/** A stored item. @throws store.corrupt */
export function parseItem(row: ItemRow, path: string): InboxItem {
  const at = { path, what: `inbox item ${row.id}` };
  return {
    id: row.id,
    kind: parseStored(kindSchema, JSON.stringify(row.kind), at),
    laneId: row.lane,
    jobId: row.job,
    attempt: row.attempt,
    subject: row.subject,
    ...parseStored(factsSchema, row.facts, at),
    state: parseStored(stateSchema, row.state, at),
    delivered: row.delivered === 1,
    createdAtMs: row.created_at,
    changedAtMs: row.changed_at,
    expiresAtMs: row.expires_at,
  };
}
