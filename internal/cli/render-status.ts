import type { ApiInboxPage, ApiLane, ApiStatus } from "../protocol/index.ts";
import { type LaneReason, reasonsOf } from "./lane-reasons.ts";
import { paintState } from "./render-lane.ts";
import type { RenderOptions } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";
import { plural, renderAge, shortBuild, toPlain, wrap } from "./text.ts";

/** A lane that is not simply fine. */
export interface UnwellLane {
  readonly lane: ApiLane;
  readonly reasons: readonly LaneReason[];
}

/** The lanes that a person should know something about, each with why. */
export function findUnwell(
  lanes: readonly ApiLane[],
  inbox: ApiInboxPage | null,
  opts: { readonly nowMs: number },
): readonly UnwellLane[] {
  return lanes
    .map((lane) => ({ lane, reasons: reasonsOf(lane, inbox?.items ?? [], opts) }))
    .filter(({ reasons }) => reasons.length > 0);
}

/** The daemon, the engine, counts, and each lane that is not simply fine with its reasons. */
export function renderStatus(
  status: ApiStatus,
  unwell: readonly UnwellLane[],
  inbox: ApiInboxPage | null,
  opts: RenderOptions,
): readonly string[] {
  const { engine, image } = status;
  const own = engine.own ? ", started by laned" : "";
  const facts = renderFacts([
    [
      "laned",
      `${status.version} (build ${shortBuild(status.build)}), pid ${status.pid}, started ${renderAge(status.startedAt, opts.nowMs)}`,
    ],
    ["socket", status.socket],
    ["page", status.api],
    ["engine", engine.ok ? `podman ${engine.version ?? "?"} at ${engine.address ?? "?"}${own}` : null],
    [
      "engine",
      engine.ok
        ? null
        : `${opts.style.red("not available")}: ${toPlain(engine.error?.message ?? "still looking for it")}`,
    ],
    ["", engine.ok || engine.error?.hint === undefined ? null : `next: ${engine.error.hint}`],
    [
      "image",
      image === null ? null : `${image.reference} ${image.id?.slice(0, 12) ?? "(not there: run `make image`)"}`,
    ],
    ["lanes", renderCounts(status.lanes, "none: `lane add <name>`")],
    ["jobs", renderCounts(status.jobs, "none")],
    [
      "",
      status.stuckJobs ? `${opts.style.yellow(plural(status.stuckJobs, "job"))} without progress: \`lane jobs\`` : null,
    ],
    [
      "inbox",
      inbox === null ? null : inbox.open === 0 ? "nothing waits for you" : `${inbox.open} open: \`lane inbox\``,
    ],
  ]);
  return unwell.length === 0 ? facts : [...facts, "", ...renderReasons(unwell, opts)];
}

interface ReasonLine {
  readonly lane: ApiLane;
  /** The first line of its lane: only there stand the lane's name and state. */
  readonly isFirst: boolean;
  readonly text: string;
}

/** Room that a reason has at least, however wide the other columns are. */
const REASON_MIN = 30;
/** Cells that stay empty; a table marks what is nothing at all. */
const BLANK = " ";

function renderReasons(unwell: readonly UnwellLane[], opts: RenderOptions): readonly string[] {
  const { width, nowMs, style } = opts;
  const widest = (texts: readonly string[]) => Math.max(...texts.map((text) => text.length));
  const names = unwell.map(({ lane }) => toPlain(lane.name));
  const others = widest([...names, "lane"]) + widest([...unwell.map(({ lane }) => lane.state), "state"]) + 8 + 3 * 2;
  const room = width === undefined ? Number.POSITIVE_INFINITY : Math.max(REASON_MIN, width - others);
  const lines = unwell.flatMap(({ lane, reasons }): readonly ReasonLine[] => {
    const texts = reasons.flatMap((reason) => wrap(toPlain(toSentence(reason)), room));
    return texts.map((text, at) => ({ lane, isFirst: at === 0, text }));
  });
  const once = (value: (lane: ApiLane) => string) => (line: ReasonLine) => (line.isFirst ? value(line.lane) : BLANK);
  return renderTable<ReasonLine>(
    [
      { header: "lane", value: once((lane) => lane.name), shrink: true },
      {
        header: "state",
        value: once((lane) => lane.state),
        paint: (cell, { lane }) => paintState(lane.state, style)(cell),
      },
      { header: "since", value: once((lane) => renderAge(lane.since, nowMs)) },
      { header: "reason", value: ({ text }) => text, shrink: true },
    ],
    lines,
    width,
  );
}

function toSentence({ text, next }: LaneReason): string {
  return next === null ? text : `${text}; next: ${next}`;
}

function renderCounts(counts: Readonly<Record<string, number>>, none: string): string {
  const present = Object.entries(counts).filter(([, count]) => count > 0);
  if (present.length === 0) return none;
  return present.map(([state, count]) => `${count} ${state}`).join(", ");
}

/** What `down` says about the lanes it leaves running. */
export function renderLeft(lanes: number): string {
  return lanes === 0
    ? "laned is stopped"
    : `laned is stopped; its lanes and their jobs go on without it (${plural(lanes, "lane")})`;
}
