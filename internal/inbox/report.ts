import { AppError } from "../base/index.ts";
import type { InboxItem, InboxReport } from "../job/index.ts";
import type { Report } from "../protocol/index.ts";
import { ask } from "./ask.ts";
import { cleanLine, needText } from "./clean-text.ts";
import { type InboxContext, type LaneCall, once } from "./context.ts";
import { JOB_LIMITS, refuseMore } from "./limits.ts";

/** Longest title made of a report, in characters. */
const TITLE_MAX = 200;

/**
 * Puts a report on record and into its job's log. `blocked` is a question as well: its answer wakes the job.
 * @returns id of that item; null for every other level
 * @throws request.key_conflict, request.invalid, inbox.full
 */
export function report(ctx: InboxContext, call: LaneCall<Report>): string | null {
  return ctx.commit(() => {
    const made = once(ctx, "report", call, () => {
      const { laneId, job } = call;
      const { level } = call.body;
      refuseMore(ctx.store.laneCalls.countReports(job.id), JOB_LIMITS.reports, "reports of this job");
      const said: InboxReport = {
        laneId,
        job: job.id,
        level,
        body: needText(ctx.text(call.body.body), "the report"),
        files: (call.body.files ?? []).map((path) => toFile(ctx, path)),
        atMs: ctx.clock.nowMs(),
      };
      ctx.store.laneCalls.putReport(said);
      ctx.logWord(job.id, job.attempt, { type: "report", level, text: said.body, files: said.files });
      return level === "blocked" ? callForHelp(ctx, call, said).id : "";
    });
    return made === "" ? null : made;
  });
}

function callForHelp(ctx: InboxContext, call: LaneCall<Report>, { body, files }: InboxReport): InboxItem {
  const line = cleanLine(body.split("\n")[0] ?? "");
  const isWhole = line === body && line.length <= TITLE_MAX;
  const title = line.length > TITLE_MAX ? `${cleanLine(line.slice(0, TITLE_MAX - 1))}…` : line;
  return ask(
    ctx,
    { ...call, key: null, body: { question: title, body: isWhole ? "" : body, urgency: "high" } },
    { data: { report: "blocked", files } },
  );
}

/** A path below the work tree, as text: it is never opened. @throws request.invalid */
function toFile(ctx: InboxContext, path: string): string {
  const name = ctx.line(path).replace(/^\/workspace\//, "");
  const parts = name.split("/");
  const leads = name === "" || name.startsWith("/") || parts.includes("..") || parts.includes(".git");
  if (!leads) return name;
  throw new AppError({
    code: "request.invalid",
    message: `${JSON.stringify(name.slice(0, 100))} is not a path below the work tree`,
    hint: "give paths relative to /workspace",
  });
}
