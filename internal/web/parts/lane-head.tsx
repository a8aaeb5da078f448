import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiInboxPage, ApiLane } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { formatCount } from "../format.ts";
import { toPath } from "../router.ts";
import { useFetched } from "./hooks.ts";
import { GitFacts } from "./lane-row.tsx";
import { LaneTabs } from "./lane-tabs.tsx";
import { Output } from "./output.ts";
import { StateWord } from "./state-word.tsx";

/** A lane's name, how it stands and why, what waits in it, and what can be done with it. */
export function LaneHead(props: {
  readonly app: App;
  readonly lane: ApiLane;
  /** Null while no job runs. */
  readonly onStopJob: (() => void) | null;
}): VNode {
  const { app, lane, onStopJob } = props;
  const { value: page } = useFetched(lane.id, app.store.inbox.value, (id, signal) =>
    app.api.call<ApiInboxPage>("GET", `/v1/inbox?state=open&limit=9&lane=${id}`, undefined, { signal }),
  );
  const waiting = page?.items ?? [];
  return (
    <header class="lane-head">
      <div class="bar">
        <h1>{lane.name}</h1>
        <span class="actions">
          {onStopJob === null ? null : (
            <button type="button" class="button danger" onClick={onStopJob}>
              Stop the job <kbd>s</kbd>
            </button>
          )}
          <LifeButton app={app} lane={lane} />
        </span>
      </div>
      <p class="meta">
        <StateWord state={lane.state} />
        <span>branch {lane.branch}</span>
        <span title="Agent">{lane.agent ?? "usual agent"}</span>
        {lane.queued > 0 ? <span>{lane.queued} queued</span> : null}
        <GitFacts lane={lane} />
        {lane.drift.length > 0 ? (
          <a class="badge warn" href={toPath("drift", { id: lane.id })}>
            {formatCount(lane.drift.length, "drifted field")}
          </a>
        ) : null}
      </p>
      {lane.cause === null ? null : (
        <p class={lane.state === "failed" ? "notice bad" : "notice"}>
          {lane.cause.message}
          {lane.cause.hint === undefined ? null : <span class="quiet"> {lane.cause.hint}</span>}
        </p>
      )}
      {lane.state === "failed" && lane.logTail.length > 0 ? (
        <details class="fold">
          <summary>Last words of its container</summary>
          <Output text={lane.logTail.join("\n")} label="Log" class="fold-body" />
        </details>
      ) : null}
      {waiting.map((item) => (
        <p key={item.id} class="notice attention">
          <a href={toPath("inbox", {}, { item: item.id })}>{item.title}</a>
        </p>
      ))}
      <LaneTabs id={lane.id} at="lane" />
    </header>
  );
}

function LifeButton({ app, lane }: { readonly app: App; readonly lane: ApiLane }): VNode {
  const [isBusy, setBusy] = useState(false);
  const isDown = lane.desired === "stopped" || ["stopped", "absent", "failed"].includes(lane.state);
  const act = async () => {
    setBusy(true);
    try {
      const path = `/v1/lanes/${lane.id}/${isDown ? "start?wait=0" : "stop"}`;
      app.store.putLane(await app.api.call<ApiLane>("POST", path));
    } catch (error) {
      app.say(describeError(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <button type="button" class="button" disabled={isBusy} onClick={() => void act()}>
      {isDown ? (isBusy ? "Starting…" : "Start") : isBusy ? "Stopping…" : "Stop the lane"}
    </button>
  );
}
