import type { ApiJob } from "../protocol/index.ts";
import { paintState } from "./render-lane.ts";
import type { RenderOptions } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";
import { renderAge, renderArgv, toPlain } from "./text.ts";

/** What a job does, in one line. */
export function renderJobWork(job: ApiJob): string {
  return job.argv === null ? (job.prompt ?? "") : renderArgv(job.argv);
}

const WAITS: Readonly<Record<NonNullable<ApiJob["waiting"]>, string>> = {
  memory: "waiting for memory",
  count: "waiting for a free slot",
  limit: "waiting for the usage limit",
  backoff: "waiting for the service",
  login: "login needed",
  agent: "waiting for its agent",
  setup: "waiting for the lane's setup",
};

/** What a queued job waits for beyond its turn, in words; null for nothing. */
export function renderWaiting({ waiting }: ApiJob): string | null {
  if (waiting === null) return null;
  return WAITS[waiting];
}

/** What there is to say about a job's state, beside its name, where a person should know at once; null for nothing. */
function renderPlight(job: ApiJob): string | null {
  return renderWaiting(job) ?? (job.stuck && job.detail !== null ? `${job.state}, ${job.detail}` : null);
}

/** `lane jobs`. */
export function renderJobs(jobs: readonly ApiJob[], opts: RenderOptions): readonly string[] {
  return renderTable<ApiJob>(
    [
      { header: "job", value: (job) => job.id },
      { header: "lane", value: (job) => job.laneName, shrink: true },
      {
        header: "state",
        value: (job) => renderPlight(job) ?? job.state,
        paint: (cell, job) => paintState(job.state, opts.style)(cell),
        // A state in one word is never cut.
        shrink: jobs.some((job) => renderPlight(job) !== null),
      },
      { header: "exit", value: (job) => (job.exitCode === null ? (job.signal ?? "-") : String(job.exitCode)) },
      { header: "created", value: (job) => renderAge(job.createdAt, opts.nowMs) },
      { header: "work", value: renderJobWork, shrink: true },
    ],
    jobs,
    opts.width,
  );
}

const NAMED_MAX = 5;

/** The first of them, and how many more there are; null for none. */
export function renderList(items: readonly string[] | undefined): string | null {
  if (!items || items.length === 0) return null;
  const more = items.length > NAMED_MAX ? ` and ${items.length - NAMED_MAX} more` : "";
  return items.slice(0, NAMED_MAX).map(toPlain).join(", ") + more;
}

function renderUsage({ usage }: ApiJob): string | null {
  if (usage === null) return null;
  const cost = usage.costUsd === null ? "" : `, $${usage.costUsd.toFixed(4)}`;
  return `${usage.inputTokens} tokens in, ${usage.outputTokens} out${cost}`;
}

/** `lane job show`. */
export function renderJob(job: ApiJob, opts: RenderOptions): readonly string[] {
  const paint = paintState(job.state, opts.style);
  const tail = job.error?.stderrTail?.trimEnd() ?? "";
  return [
    ...renderFacts([
      ["job", job.id],
      ["lane", job.laneName],
      ["state", [paint(job.state), renderWaiting(job)].filter((words) => words !== null).join(", ")],
      ["detail", job.detail],
      ["question", job.question ?? null],
      ["work", toPlain(renderJobWork(job))],
      ["agent", job.agent],
      ["session", job.session],
      ["attempt", String(job.attempt)],
      ["key", job.key],
      ["priority", job.priority === 0 ? null : String(job.priority)],
      ["exit", job.exitCode === null ? job.signal : String(job.exitCode)],
      ["error", job.error === null ? null : `${toPlain(job.error.message)} (${job.error.code})`],
      ["usage", renderUsage(job)],
      ["commits", renderList(job.git?.commits.map((id) => id.slice(0, 12)))],
      ["uncommitted", renderList(job.git?.uncommitted)],
      ["output", job.truncated ? "cut at the limit" : null],
      ["stream", job.files.stream],
      ["report", job.files.failure],
      ["created", renderAge(job.createdAt, opts.nowMs)],
      ["started", job.startedAt === null ? null : renderAge(job.startedAt, opts.nowMs)],
      ["progress", job.lastProgressAt ? renderAge(job.lastProgressAt, opts.nowMs) : null],
      ["ended", job.endedAt === null ? null : renderAge(job.endedAt, opts.nowMs)],
    ]),
    ...(tail === "" ? [] : ["", "last of stderr:", ...tail.split("\n").map((line) => `  ${toPlain(line)}`)]),
  ];
}
