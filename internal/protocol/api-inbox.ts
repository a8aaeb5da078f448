import * as z from "zod";
import { INBOX_KINDS } from "../job/index.ts";

/** Shapes of the inbox, for people and for lanes. Fields are only ever added. Times are ISO 8601. */

const iso = z.iso.datetime();

/** Longest text of a question, an answer, a report, in characters. */
export const INBOX_TEXT_MAX = 64 * 1024;
/** Longest title. */
export const INBOX_TITLE_MAX = 500;
/** Choices of a question. */
export const INBOX_CHOICES_MAX = 9;
/** Longest time a lane's call may wait for an answer, ms: shorter than a relay waits for the host. */
export const QUESTION_WAIT_MAX_MS = 60_000;

const text = z.string().min(1).max(INBOX_TEXT_MAX);
const title = z.string().min(1).max(INBOX_TITLE_MAX);
const choices = z.array(z.string().min(1).max(200)).max(INBOX_CHOICES_MAX);

export const inboxItemSchema = z.object({
  id: z.string(),
  kind: z.enum(INBOX_KINDS),
  /** Id of the lane it is about, and its name. */
  lane: z.string().nullable(),
  laneName: z.string().nullable(),
  job: z.string().nullable(),
  /** One line. Of a question: the question. */
  title: z.string(),
  /** Markdown, of an agent's making: hostile. Empty when the title says it all. */
  body: z.string(),
  choices: z.array(z.string()),
  /** The answer when nobody gave one in time. */
  default: z.string().nullable(),
  urgency: z.enum(["low", "normal", "high"]),
  state: z.enum(["open", "snoozed", "answered", "done", "expired"]),
  answer: z.string().nullable(),
  /** Who answered it or put it away: `page`, `cli`, `default`, `policy`, `system`. */
  by: z.string().nullable(),
  /** Of an answered question: has the asker got it? Null for what nobody waits for. */
  delivered: z.boolean().nullable(),
  /** A person has opened it since it came, came back or said something else. */
  read: z.boolean(),
  snoozedUntil: iso.nullable(),
  createdAt: iso,
  /** The last change of its state. */
  changedAt: iso,
  expiresAt: iso.nullable(),
  /** Facts of its kind: `commits`, `files` of a review, `task` of a proposal, both tips of a divergence, … */
  data: z.record(z.string(), z.unknown()),
});

/** A page of the inbox, newest first. */
export const inboxPageSchema = z.object({
  items: z.array(inboxItemSchema),
  /** Give it as `before` for the next page; null on the last one. */
  next: z.string().nullable(),
  /** How many items are open, whatever the filter. */
  open: z.number().int(),
});

export const inboxQuerySchema = z.strictObject({
  /** Default `open`. */
  state: z.enum(["open", "snoozed", "done", "all"]).optional(),
  kind: z.enum(INBOX_KINDS).optional(),
  lane: z.string().optional(),
  /** Part of the title or the body. */
  q: z.string().min(1).max(200).optional(),
  before: z.string().optional(),
  limit: z.coerce.number<string>().int().min(1).max(500).optional(),
});

/** `answer` is one of the choices, or free text. Of a question, an approval (`yes`, `no: <why>`), a held drift (`recreate`). */
export const answerItemSchema = z.strictObject({ answer: text });

/** Seen by a person, or as new again. */
export const readItemSchema = z.strictObject({ read: z.boolean() });

/** Out of the way for so long, ms. */
export const snoozeItemSchema = z.strictObject({
  forMs: z
    .number()
    .int()
    .min(1000)
    .max(30 * 86_400_000),
});

// ---- from inside a lane ----

export const askSchema = z.strictObject({
  question: title,
  /** Context, in Markdown. */
  body: z.string().max(INBOX_TEXT_MAX).optional(),
  choices: choices.optional(),
  default: text.optional(),
  urgency: z.enum(["low", "normal", "high"]).optional(),
  /** Then the default is the answer, or there is none. */
  expiresMs: z
    .number()
    .int()
    .min(1000)
    .max(30 * 86_400_000)
    .optional(),
});

/** A question as its lane sees it. */
export const questionSchema = z.object({
  id: z.string(),
  question: z.string(),
  state: z.enum(["open", "answered", "expired", "done"]),
  answer: z.string().nullable(),
  /** `default` when its time had come. */
  by: z.string().nullable(),
});

export const questionQuerySchema = z.strictObject({
  wait: z.coerce.number<string>().int().min(0).max(QUESTION_WAIT_MAX_MS).optional(),
});

export const reportSchema = z.strictObject({
  /** `done`: the summary of the job's work. `blocked`: it needs a person. */
  level: z.enum(["info", "warn", "done", "blocked"]),
  body: text,
  /** Paths below the work tree that belong to it. */
  files: z.array(z.string().min(1).max(1024)).max(50).optional(),
});

/** Answer to a report. */
export const reportedSchema = z.object({ level: z.string(), item: z.string().nullable() });

export const createTaskSchema = z.strictObject({ title, body: z.string().max(INBOX_TEXT_MAX).optional() });

/** A piece of work that somebody proposes. Only an accepted one is done. */
export const taskSchema = z.object({
  id: z.string(),
  /** Name of the lane it came from. */
  lane: z.string(),
  /** The job that proposed it, and the one that does it. */
  parent: z.string().nullable(),
  job: z.string().nullable(),
  title: z.string(),
  body: z.string(),
  state: z.enum(["proposed", "accepted", "rejected", "done"]),
  createdAt: iso,
});

/** A lane as other lanes may see it: only those of the role `main` see more than themselves. */
export const laneSummarySchema = z.object({
  name: z.string(),
  workspace: z.string(),
  branch: z.string(),
  state: z.string(),
  job: z.string().nullable(),
  queued: z.number().int(),
});

export type ApiInboxItem = z.infer<typeof inboxItemSchema>;
export type ApiInboxPage = z.infer<typeof inboxPageSchema>;
export type InboxQuery = z.infer<typeof inboxQuerySchema>;
export type ApiQuestion = z.infer<typeof questionSchema>;
export type ApiTask = z.infer<typeof taskSchema>;
export type ApiLaneSummary = z.infer<typeof laneSummarySchema>;
export type Ask = z.infer<typeof askSchema>;
export type Report = z.infer<typeof reportSchema>;
export type CreateTask = z.infer<typeof createTaskSchema>;
