import { renderDuration } from "../base/index.ts";
import type { ApiInboxItem, ApiLane } from "../protocol/index.ts";
import { plural } from "./text.ts";

/** Why a lane is not simply fine. The text may hold what lanes say of themselves: clean it before it is printed. */
export interface LaneReason {
  readonly about: "state" | "repository" | "drift" | "login" | "git" | "inbox";
  readonly text: string;
  /** The next step of a person, where there is one. */
  readonly next: string | null;
}

const FIELDS_MAX = 5;

/** Everything about a lane that a person should know; empty for one that is up and as it should be. Pure. */
export function reasonsOf(
  lane: ApiLane,
  items: readonly ApiInboxItem[],
  opts: { readonly nowMs: number },
): readonly LaneReason[] {
  return [
    ...ofState(lane, opts.nowMs),
    ...ofRepository(lane),
    ...ofDrift(lane),
    ...ofLogins(lane),
    ...ofGit(lane),
    ...ofInbox(lane, items),
  ];
}

function ofState({ name, state, cause, until, desired }: ApiLane, nowMs: number): readonly LaneReason[] {
  if (state === "ready")
    return cause === null ? [] : [{ about: "state", text: cause.message, next: cause.hint ?? null }];
  const retry = until === null ? "" : ` (next try in ${renderDuration(Math.max(0, Date.parse(until) - nowMs))})`;
  const idle = desired === "stopped" ? "stopped on request" : `on its way${retry}`;
  const next = cause?.hint ?? (state === "failed" ? `lane start ${name}` : null);
  return [{ about: "state", text: cause === null ? idle : `${cause.message}${retry}`, next }];
}

function ofRepository({ repository, workspace }: ApiLane): readonly LaneReason[] {
  if (repository?.asked?.word !== "pending") return [];
  const fields = repository.asked.fields.map(({ field }) => field);
  const text = `.lanekeeper.yaml asks for ${fields.slice(0, FIELDS_MAX).join(", ")}, without effect so far`;
  return [{ about: "repository", text, next: `lane config repository ${workspace}` }];
}

function ofDrift({ name, drift, settings, job }: ApiLane): readonly LaneReason[] {
  if (drift.length === 0) return [];
  const fields = drift.map(({ part, field }) => (field === part ? part : `${part} ${field}`));
  const more = fields.length > FIELDS_MAX ? ` and ${fields.length - FIELDS_MAX} more` : "";
  const held = settings.drift === "hold";
  const when = held ? "held" : job === null ? "about to be recreated" : "recreated when its job has ended";
  const text = `drifted in ${fields.slice(0, FIELDS_MAX).join(", ")}${more}; ${when}`;
  return [{ about: "drift", text, next: held ? `lane recreate ${name}` : null }];
}

function ofLogins({ credentials }: ApiLane): readonly LaneReason[] {
  return Object.entries(credentials).flatMap(([agent, { state, reason }]): readonly LaneReason[] => {
    if (state !== "missing" && state !== "refused") return [];
    const why = reason === undefined ? "" : `: ${reason}`;
    return [{ about: "login", text: `login of ${agent} ${state}${why}`, next: "lane credentials status" }];
  });
}

function ofGit({ name, git, job }: ApiLane): readonly LaneReason[] {
  if (git?.diverged) return [{ about: "git", text: "lane and host have gone apart", next: `lane show ${name}` }];
  const { push } = git ?? {};
  const notPushed: readonly LaneReason[] =
    push?.ok === false ? [{ about: "git", text: `not pushed: ${push.message}`, next: `lane show ${name}` }] : [];
  // While a job runs it is only natural that commits wait.
  return git?.held && job === null ? [{ about: "git", text: `commits wait: ${git.held}`, next: null }] : notPushed;
}

function ofInbox({ id, name }: ApiLane, items: readonly ApiInboxItem[]): readonly LaneReason[] {
  const own = items.filter((item) => item.lane === id);
  if (own.length === 0) return [];
  const questions = own.filter(({ kind }) => kind === "question" || kind === "approval").length;
  const others = own.length - questions;
  const counts = [
    questions === 0 ? null : plural(questions, "open question"),
    others === 0 ? null : plural(others, "other open item"),
  ].filter((count) => count !== null);
  return [{ about: "inbox", text: counts.join(", "), next: `lane inbox --lane ${name}` }];
}
