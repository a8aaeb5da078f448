import type { VNode } from "preact";
import type { ApiLane } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import { formatAgo, formatCount } from "../format.ts";
import { toPath } from "../router.ts";
import { StateWord } from "./state-word.tsx";

/** One lane in the list of lanes. */
export function LaneRow(props: { readonly app: App; readonly lane: ApiLane; readonly waiting: number }): VNode {
  const { app, lane, waiting } = props;
  return (
    <li class="lane-row">
      <a class="lane-name" data-lane={lane.id} href={toPath("lane", { id: lane.id })}>
        {lane.name}
      </a>
      <span class="lane-state">
        <StateWord state={lane.state} />
        {lane.job === null ? null : <span class="badge busy">working</span>}
        {waiting > 0 ? <span class="badge attention">{formatCount(waiting, "item waits", "items wait")}</span> : null}
        {lane.drift.length > 0 ? <span class="badge warn">drift</span> : null}
      </span>
      <span class="lane-facts">
        <span>branch {lane.branch}</span>
        {lane.agent === null ? null : <span title="Agent">{lane.agent}</span>}
        {lane.queued > 0 ? <span>{lane.queued} queued</span> : null}
        <GitFacts lane={lane} />
        {lane.since === null ? null : <span title="In this state">{formatAgo(lane.since, app.nowMs.value)}</span>}
      </span>
      {lane.cause === null ? null : <span class="lane-cause">{lane.cause.message}</span>}
    </li>
  );
}

/** Commits and changed files, in words for screen readers. */
export function GitFacts({ lane: { git } }: { readonly lane: ApiLane }): VNode | null {
  if (git === null) return null;
  return (
    <>
      {git.ahead > 0 ? <span title="Commits ahead of its base">{git.ahead} ahead</span> : null}
      {git.behind > 0 ? <span title="Commits behind its base">{git.behind} behind</span> : null}
      {git.dirty > 0 ? <span title="Changed files that are in no commit">{git.dirty} changed</span> : null}
      {git.diverged ? <span class="badge warn">diverged</span> : null}
    </>
  );
}
