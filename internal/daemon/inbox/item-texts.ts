import { createHash } from "node:crypto";
import type { AccountState } from "../../agents/index.ts";
import type { LoginState } from "../../credentials/index.ts";
import type { Raise } from "../../inbox/index.ts";
import type { Job, JobState } from "../../job/index.ts";
import type { DriftField, Lane } from "../../lane/index.ts";
import type { GitNote, JobWorkLeft } from "../git/git-desk.ts";

/** The words of what the daemon says to people. Pure. */

/** Answer to a failed or lost job: it is tried again. */
export const RETRY = "retry";
/** Answer to a drift that is held. */
export const RECREATE = "recreate";

/** Commits and paths that an item names. */
const NAMED_MAX = 100;

/** A job that failed or is lost. */
export function unfinishedItem(
  job: Job,
  state: Extract<JobState, { readonly phase: "failed" | "lost" }>,
  lane: Lane,
): Raise {
  const { code, message } = state.error;
  const word = state.phase === "failed" ? "failed" : "is lost: nobody knows its outcome";
  const tail = state.phase === "failed" ? state.result.stderrTail : "";
  return {
    kind: state.phase,
    subject: `failed:${job.id}`,
    occurrence: String(state.attempt),
    laneId: lane.id,
    jobId: job.id,
    title: `${renderWork(job)} in ${lane.name} ${word}`,
    body: `${message}${tail === "" ? "" : `\n\n${toCode(tail)}`}`,
    choices: [RETRY],
    data: { code, message, attempt: state.attempt },
  };
}

/** A drift that waits for a person. */
export function driftItem(lane: Lane, drift: readonly DriftField[]): Raise {
  const fields = drift.map(({ part, field, was, is }) => ({ part, field, was, is }));
  const names = fields.map(({ part, field }) => `${part}.${field}`).join(", ");
  return {
    kind: "drift",
    subject: `drift:${lane.id}`,
    occurrence: `${lane.generation}:${digest(JSON.stringify(fields))}`,
    laneId: lane.id,
    jobId: null,
    title: `${lane.name} has drifted and is held: ${names}`,
    choices: [RECREATE],
    data: { fields: fields.slice(0, NAMED_MAX) },
  };
}

/** A lane and its branch on the host that have gone apart. */
export function divergedItem(lane: Lane, tips: NonNullable<GitNote["diverged"]>): Raise {
  return {
    kind: "diverged",
    subject: `diverged:${lane.id}`,
    occurrence: `${tips.lane}:${tips.host}`,
    laneId: lane.id,
    jobId: null,
    title: `${lane.name} and branch ${lane.branch} on this host have gone apart`,
    body: `In the lane: \`${tips.lane ?? "none"}\`\n\nOn this host: \`${tips.host ?? "none"}\`\n\nNothing is overwritten. Bring one onto the other (merge or rebase), in the lane or here.`,
    data: { ...tips, branch: lane.branch },
  };
}

/** An agent that needs a login. */
export function loginItem(
  agent: { readonly name: string; readonly title: string },
  login: LoginState,
  of: { readonly occurrence: string; readonly lane: string | null; readonly job: string | null },
): Raise {
  const why =
    login.kind === "missing"
      ? login.hint
      : login.kind === "refused"
        ? `${login.error.message}. ${login.error.hint ?? ""}`
        : "The service refuses the login that is there: log in anew.";
  return {
    kind: "login",
    subject: `login:${agent.name}`,
    occurrence: of.occurrence,
    laneId: of.lane,
    jobId: of.job,
    title: `${agent.title} needs a login`,
    body: `${why}\n\nThen: \`lane credentials refresh ${agent.name}\`. Work that waits goes on by itself.`,
    urgency: "high",
    data: { agent: agent.name },
  };
}

/** An account at its usage limit. */
export function limitItem(
  agent: { readonly name: string; readonly title: string },
  account: Extract<AccountState, { readonly kind: "limited" }>,
): Raise {
  const until = new Date(account.untilMs).toISOString();
  return {
    kind: "limit",
    subject: `limit:${agent.name}`,
    occurrence: String(account.untilMs),
    laneId: null,
    jobId: null,
    title: `${agent.title} is at its usage limit until ${until}`,
    body: `${account.message}\n\nIts jobs go on by themselves then.`,
    urgency: "low",
    data: { agent: agent.name, until },
  };
}

/** What a prompt has left to be looked at, with what is waiting of the lane already; null for nothing. */
export function reviewItem(
  job: Job,
  lane: Lane,
  work: JobWorkLeft,
  before: Readonly<Record<string, unknown>>,
): Raise | null {
  const known = Array.isArray(before.commits) ? before.commits.map(String) : [];
  const commits = [...new Set([...work.commits, ...known])].slice(0, NAMED_MAX);
  const files = work.uncommitted.slice(0, NAMED_MAX);
  if (work.commits.length === 0 && files.length === 0) return null;
  const parts = [
    ...(commits.length > 0 ? [count(commits.length, "commit")] : []),
    ...(files.length > 0 ? [`${count(files.length, "file")} not committed`] : []),
  ];
  return {
    kind: "review",
    subject: `review:${lane.id}`,
    occurrence: job.id,
    laneId: lane.id,
    jobId: job.id,
    title: `${lane.name}: ${parts.join(", ")} to review`,
    urgency: "low",
    data: { commits, files },
  };
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

function renderWork({ spec }: Job): string {
  const text = spec.work.kind === "command" ? spec.work.argv.join(" ") : spec.work.prompt;
  const line = text.split("\n")[0] ?? "";
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

/** As Markdown that is shown as it is. */
function toCode(text: string): string {
  return text.replace(/^/gm, "    ");
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
