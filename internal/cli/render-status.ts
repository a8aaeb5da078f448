import type { ApiLane, ApiStatus } from "../protocol/index.ts";
import { paintState } from "./render-lane.ts";
import type { RenderOptions } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";
import { plural, renderAge, shortBuild, toPlain } from "./text.ts";

/** The daemon, the engine, counts, and each lane that is not ready with the reason. */
export function renderStatus(status: ApiStatus, lanes: readonly ApiLane[], opts: RenderOptions): readonly string[] {
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
  ]);
  const unwell = lanes.filter((lane) => lane.state !== "ready");
  return unwell.length === 0 ? facts : [...facts, "", ...renderReasons(unwell, opts)];
}

function renderReasons(lanes: readonly ApiLane[], opts: RenderOptions): readonly string[] {
  return renderTable<ApiLane>(
    [
      { header: "lane", value: (lane) => lane.name, shrink: true },
      { header: "state", value: (lane) => lane.state, paint: (cell, lane) => paintState(lane.state, opts.style)(cell) },
      { header: "since", value: (lane) => renderAge(lane.since, opts.nowMs) },
      { header: "reason", value: (lane) => renderReason(lane, opts.nowMs), shrink: true },
    ],
    lanes,
    opts.width,
  );
}

/** Why a lane is not ready, in one line. */
function renderReason(lane: ApiLane, nowMs: number): string {
  const retry = lane.until === null ? "" : ` (next try ${renderAge(lane.until, nowMs)})`;
  if (lane.cause !== null) return `${lane.cause.message}${retry}`;
  return lane.desired === "stopped" ? "stopped on request" : `on its way${retry}`;
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
