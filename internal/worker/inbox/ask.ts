import { parseDurationMs } from "../../base/index.ts";
import type { ApiQuestion, Ask } from "../../protocol/index.ts";
import { type Args, type OptionKinds, readArgs } from "./parse-args.ts";
import { callOrStop, EXIT, type InboxDeps, readText, Stop, show, usage } from "./session.ts";

const OPTIONS: OptionKinds = {
  choice: "list",
  default: "text",
  body: "text",
  urgency: "text",
  expires: "text",
  wait: "text",
  "no-wait": "flag",
  key: "text",
  id: "text",
};

const WAIT_MS = 600_000;
/** One call waits so long: shorter than the relay and the host allow. */
const POLL_MS = 50_000;
/** The default comes from the host when the time is over: it may take this much longer. */
const GRACE_MS = 10_000;
/** Beyond what is waited, the host may be away so long. */
const AWAY_MS = 30_000;
/** As the host takes it. */
const TITLE_MAX = 500;

const URGENCIES = ["low", "normal", "high"] as const;

/** `inbox ask`: resolves with the exit code. @throws Stop */
export async function runAsk(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const args = readArgs(argv, OPTIONS);
  const known = args.text("id");
  const wait = args.text("wait");
  if (args.flag("no-wait") && (wait !== undefined || known !== undefined)) {
    throw usage("--no-wait goes with neither --wait nor --id");
  }
  const waitMs = wait === undefined ? WAIT_MS : readDuration(wait);
  const json = args.flag("json");
  const endMs = deps.clock.monotonicMs() + waitMs;
  if (known !== undefined) {
    if (args.words.length > 0) throw usage("give a question or --id, not both");
    if (!/^[0-9a-z]{1,64}$/.test(known)) throw usage("that is not the id of a question");
    return waitFor(deps, known, { endMs, json });
  }
  const body = await readAsk(deps, args, waitMs);
  const key = args.text("key") ?? deps.newKey();
  const asked = (await callOrStop(deps, { method: "POST", path: "/v1/lane/ask", key, body })) as ApiQuestion;
  if (args.flag("no-wait")) {
    show(deps, asked, json ? null : `${asked.id}\n`);
    return EXIT.blocked;
  }
  return waitFor(deps, asked.id, { endMs: body.default === undefined ? endMs : endMs + GRACE_MS, json });
}

async function readAsk(deps: InboxDeps, args: Args, waitMs: number): Promise<Ask> {
  const [given = "", ...more] = args.words;
  if (more.length > 0) throw usage("put the question in quotes");
  const question = await readText(deps, given, "the question");
  const body = args.text("body");
  const context = body === undefined ? null : await readText(deps, body, "--body");
  const urgency = URGENCIES.find((one) => one === (args.text("urgency") ?? "normal"));
  if (urgency === undefined) throw usage("--urgency is low, normal or high");
  const choices = args.list("choice");
  const fallback = args.text("default");
  const expiresMs = expiryOf(args, waitMs);
  return {
    ...split(question.trim(), context),
    ...(choices.length > 0 && { choices: [...choices] }),
    ...(fallback !== undefined && { default: fallback }),
    ...(urgency !== "normal" && { urgency }),
    ...(expiresMs !== null && { expiresMs }),
  };
}

/** Whoever waits and has a default wants it when the waiting is over. */
function expiryOf(args: Args, waitMs: number): number | null {
  const expires = args.text("expires");
  if (expires !== undefined) return readDuration(expires);
  return args.text("default") === undefined || args.flag("no-wait") ? null : Math.max(waitMs, 1000);
}

/** A question is one line; what is longer is its context as well. */
function split(question: string, context: string | null): Pick<Ask, "question" | "body"> {
  const [first = ""] = question.split("\n");
  const title = first.length > TITLE_MAX ? `${first.slice(0, TITLE_MAX - 1)}…` : first;
  const body = [...(title === question ? [] : [question]), ...(context === null ? [] : [context])].join("\n\n");
  return { question: title, ...(body !== "" && { body }) };
}

interface Wait {
  /** When it is over, by the monotonic clock. */
  readonly endMs: number;
  readonly json: boolean;
}

async function waitFor(deps: InboxDeps, id: string, { endMs, json }: Wait): Promise<number> {
  for (;;) {
    const leftMs = Math.max(0, endMs - deps.clock.monotonicMs());
    const question = await look(deps, id, leftMs);
    if (question.state !== "open") return tell(deps, question, json);
    if (deps.clock.monotonicMs() >= endMs) throw new Stop(`nobody has answered yet; ${laterOf(id)}`, EXIT.timedOut);
  }
}

/** The host may be away for as long as is waited, and a little. @throws Stop that names the question */
async function look(deps: InboxDeps, id: string, leftMs: number): Promise<ApiQuestion> {
  const path = `/v1/lane/questions/${id}?wait=${Math.min(POLL_MS, Math.round(leftMs))}`;
  try {
    const budgetMs = leftMs + (deps.budgetMs ?? AWAY_MS);
    return (await callOrStop(deps, { method: "GET", path }, budgetMs)) as ApiQuestion;
  } catch (caught) {
    if (!(caught instanceof Stop) || caught.exitCode !== EXIT.daemonUnreachable) throw caught;
    throw new Stop(`${caught.message}; ${laterOf(id)}`, caught.exitCode);
  }
}

function laterOf(id: string): string {
  return `question ${id} stays open: wait on with \`inbox ask --id ${id}\`, or end your turn, you are woken with the answer`;
}

function tell(deps: InboxDeps, question: ApiQuestion, json: boolean): number {
  const { id, state, answer, by } = question;
  if (answer === null) {
    if (json) show(deps, question, null);
    const why = state === "expired" ? "nobody answered in time" : "it was put away without an answer";
    throw new Stop(`question ${id}: ${why}; decide yourself`, EXIT.timedOut);
  }
  if (by === "default") deps.err(`inbox: nobody answered question ${id} in time: the default is used\n`);
  show(deps, question, json ? null : `${answer}\n`);
  return EXIT.ok;
}

function readDuration(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (caught) {
    throw usage((caught as Error).message);
  }
}
