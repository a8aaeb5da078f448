import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiJob } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import { shellLineOf } from "../data/draft.ts";
import { followJob } from "../data/follow-job.ts";
import { EMPTY_TIMELINE, type Timeline } from "../data/timeline.ts";
import { formatAgo, formatCount, formatDuration, formatLarge } from "../format.ts";
import { renderMarkdown } from "../markdown.ts";
import { toPath } from "../router.ts";
import { useVisible } from "./hooks.ts";
import { Output } from "./output.ts";
import { StateWord } from "./state-word.tsx";
import { TimelineView } from "./timeline-view.tsx";

/** Has the job ended for good? */
export function hasEnded(job: ApiJob): boolean {
  return job.endedAt !== null;
}

/** What can be done with a job: end it, take it back before it begins, try it once more. */
export type JobAct = "cancel" | "withdraw" | "retry";

/** One job of a lane: what was asked, what happened, how it ended. The one under way is followed as it goes. */
export function JobCard(props: {
  readonly app: App;
  readonly job: ApiJob;
  /** Its steps are shown from the beginning: it is the newest. */
  readonly isNewest: boolean;
  readonly onAct: (job: ApiJob, act: JobAct) => void;
}): VNode {
  const { app, job, isNewest } = props;
  const [isOpen, setOpen] = useState<boolean | null>(null);
  const shows = isOpen ?? (job.startedAt !== null && (!hasEnded(job) || (isNewest && job.kind === "command")));
  return (
    <article class="job" aria-label={`${job.kind === "prompt" ? "Prompt" : "Command"} ${job.id}`}>
      <div class="job-ask">
        {job.kind === "prompt" ? (
          <p class="prompt-text">{clipped(job.prompt ?? "")}</p>
        ) : (
          <code class="command-text">{commandText(job)}</code>
        )}
      </div>
      <p class="meta">
        <StateWord state={job.state} />
        <Facts app={app} job={job} />
        {job.startedAt === null ? null : (
          <button type="button" class="button plain" aria-expanded={shows} onClick={() => setOpen(!shows)}>
            {shows ? "Hide steps" : "Show steps"}
          </button>
        )}
        <Acts {...props} />
      </p>
      {job.detail === null && !job.question ? null : (
        <p class="meta">
          {job.detail}
          {job.question ? <a href={toPath("inbox", {}, { item: job.question })}>Answer it</a> : null}
        </p>
      )}
      {shows ? <Steps app={app} job={job} /> : null}
      <Result job={job} shows={shows} />
    </article>
  );
}

function Acts({ job, onAct }: Parameters<typeof JobCard>[0]): VNode | null {
  const act = (what: JobAct, words: string) => (
    <button type="button" class="button plain" onClick={() => onAct(job, what)}>
      {words}
    </button>
  );
  if (job.state === "queued") return act("withdraw", "Take back");
  return ["failed", "lost", "cancelled"].includes(job.state) ? act("retry", "Try again") : null;
}

/** How it ended; of what the steps show already only the failure. */
function Result({ job, shows }: { readonly job: ApiJob; readonly shows: boolean }): VNode {
  return (
    <>
      {job.error === null ? null : (
        <div class="notice bad">
          {job.error.message}
          {job.error.stderrTail && !shows ? <Output text={job.error.stderrTail} label="Last words" /> : null}
        </div>
      )}
      {job.text === null || shows ? null : renderMarkdown(job.text)}
    </>
  );
}

function Steps({ app, job }: { readonly app: App; readonly job: ApiJob }): VNode {
  const [timeline, setTimeline] = useState<Timeline | null>(null);
  // A new attempt of a job that had ended goes on with the same record.
  const isLive = !hasEnded(job);
  const seen = useRef(EMPTY_TIMELINE);
  const isVisible = useVisible();
  useEffect(() => {
    // A browser opens six connections to a server, for all its tabs: those that nobody looks at go without.
    if (!isVisible) return;
    const stop = new AbortController();
    const from = seen.current;
    const show = (next: Timeline) => {
      seen.current = next;
      setTimeline(next);
    };
    void followJob(app.api, job.id, { from, show, signal: stop.signal });
    return () => stop.abort();
  }, [job.id, isLive, isVisible]);
  if (timeline === null) return <p class="quiet">Loading…</p>;
  if (timeline.blocks.length === 0) return <p class="quiet">{hasEnded(job) ? "No output." : "No output yet."}</p>;
  return <TimelineView timeline={timeline} />;
}

function Facts({ app, job }: { readonly app: App; readonly job: ApiJob }): VNode {
  const now = app.nowMs.value;
  const start = job.startedAt === null ? null : Date.parse(job.startedAt);
  const end = job.endedAt === null ? now : Date.parse(job.endedAt);
  const commits = job.git?.commits.length ?? 0;
  return (
    <>
      {job.exitCode !== null && job.kind === "command" ? <span>exit {job.exitCode}</span> : null}
      {job.agent === null ? null : <span>{job.agent}</span>}
      {start === null ? null : <span>{formatDuration(end - start)}</span>}
      {job.attempt > 1 ? <span>attempt {job.attempt}</span> : null}
      {job.usage === null ? null : (
        <span title="Tokens in and out">
          {formatLarge(job.usage.inputTokens)} in, {formatLarge(job.usage.outputTokens)} out
          {job.usage.costUsd === null ? "" : `, $${job.usage.costUsd.toFixed(2)}`}
        </span>
      )}
      {commits > 0 ? <span>{formatCount(commits, "commit")}</span> : null}
      {job.stuck ? <span class="badge warn">no progress</span> : null}
      {job.truncated ? <span class="badge warn">output cut</span> : null}
      <time dateTime={job.createdAt} title={new Date(job.createdAt).toLocaleString()}>
        {job.endedAt === null ? `since ${new Date(job.createdAt).toLocaleTimeString()}` : formatAgo(job.createdAt, now)}
      </time>
    </>
  );
}

function commandText(job: ApiJob): string {
  return clipped(shellLineOf(job.argv) ?? (job.argv ?? []).join(" "));
}

function clipped(text: string): string {
  return text.length > 4000 ? `${text.slice(0, 4000)}…` : text;
}
