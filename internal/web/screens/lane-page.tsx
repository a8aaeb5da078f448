import type { ComponentChildren, VNode } from "preact";
import type { ApiLane } from "../../protocol/index.ts";
import { LaneTabs } from "../parts/lane-tabs.tsx";
import { toPath } from "../router.ts";
import type { ScreenProps } from "./screen.ts";

/** What stands around the screens of a lane beside its work: name, tabs, and what to say where there is no such lane. */
export function LanePage(
  props: ScreenProps & {
    readonly at: "changes" | "logs" | "drift" | "terminal";
    readonly title: string;
    readonly isWide?: boolean;
    /** Buttons beside the title. */
    readonly actions?: (lane: ApiLane) => ComponentChildren;
    readonly children: (lane: ApiLane) => ComponentChildren;
  },
): VNode {
  const lanes = props.app.store.lanes.value;
  const named = props.place.params.id ?? "";
  if (lanes === null) return <p class="quiet pad">Loading…</p>;
  const lane = lanes.get(named) ?? [...lanes.values()].find((one) => one.name === named);
  if (!lane) {
    return (
      <div class="empty">
        <h1 class="empty-title">There is no such lane.</h1>
        <p>
          <a href={toPath("lanes")}>All lanes</a>
        </p>
      </div>
    );
  }
  return (
    <div class={`page-body ${props.isWide ? "is-wide" : ""}`}>
      <header class="lane-head">
        <div class="bar">
          <h1>
            {lane.name} <span class="quiet">{props.title}</span>
          </h1>
          <span class="actions">{props.actions?.(lane)}</span>
        </div>
        <LaneTabs id={lane.id} at={props.at} />
      </header>
      {props.children(lane)}
    </div>
  );
}
