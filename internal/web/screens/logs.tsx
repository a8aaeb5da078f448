import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiHistoryEntry, ApiLane, ApiLaneLogs } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import { toVisible } from "../diff/parse-patch.ts";
import { formatAgo } from "../format.ts";
import { toLogLine } from "../log-line.ts";
import { useFetched, useKeys } from "../parts/hooks.ts";
import { useNeighbours } from "../parts/neighbours.ts";
import { Output } from "../parts/output.ts";
import { PlainTable } from "../parts/scroll-box.tsx";
import { toPath } from "../router.ts";
import { LanePage } from "./lane-page.tsx";
import type { ScreenProps } from "./screen.ts";

const ENTRIES = 50;
const LINES = 300;

/** What has become of a lane, and what its container has said. What its jobs said stands with them. */
export function Logs(props: ScreenProps): VNode {
  const [round, setRound] = useState(0);
  return (
    <LanePage
      {...props}
      at="logs"
      title="Logs"
      actions={() => (
        <button type="button" class="button" onClick={() => setRound(round + 1)}>
          Look again
        </button>
      )}
    >
      {(lane) => (
        <Known key={lane.id} app={props.app} lane={lane} round={`${round} ${lane.generation} ${lane.state}`} />
      )}
    </LanePage>
  );
}

function Known(props: { readonly app: App; readonly lane: ApiLane; readonly round: string }): VNode {
  const { app, lane, round } = props;
  const history = useFetched(lane.id, round, (id, signal) =>
    app.api.call<ApiHistoryEntry[]>("GET", `/v1/lanes/${id}/history?limit=${ENTRIES}`, undefined, { signal }),
  );
  const logs = useFetched(lane.id, round, (id, signal) =>
    app.api.call<ApiLaneLogs>("GET", `/v1/lanes/${id}/logs?lines=${LINES}`, undefined, { signal }),
  );
  useKeys(app, { back: () => app.router.go(toPath("lane", { id: lane.id })) });
  useNeighbours(app, lane, "logs");
  return (
    <>
      <section class="health-part" aria-label="What has happened">
        <h2>What has happened</h2>
        <p class="quiet">The last {ENTRIES} changes of this lane’s state and acts on it, newest first.</p>
        <Failure text={history.failure} />
        {history.value === null ? null : <History entries={history.value} nowMs={app.nowMs.value} />}
      </section>
      <section class="health-part" aria-label="Output of the container">
        <h2>Output of the container</h2>
        <p class="quiet">The container’s own last words. What jobs and agents said stands with them, under Work.</p>
        <Failure text={logs.failure} />
        {logs.value === null ? null : <Lines lines={logs.value.lines} />}
      </section>
      {history.value === null && history.failure === null ? <p class="quiet">Loading…</p> : null}
    </>
  );
}

function Failure({ text }: { readonly text: string | null }): VNode | null {
  return text === null ? null : (
    <p class="notice bad" role="alert">
      {text}
    </p>
  );
}

function History(props: { readonly entries: readonly ApiHistoryEntry[]; readonly nowMs: number }): VNode {
  const { entries, nowMs } = props;
  return (
    <PlainTable label="What has happened" head={["When", "Event", "State", "Why"]}>
      {entries.toReversed().map((entry) => (
        <tr key={entry.seq}>
          <td>
            <time dateTime={entry.at} title={new Date(entry.at).toLocaleString()}>
              {formatAgo(entry.at, nowMs)}
            </time>
          </td>
          <td>
            {toVisible(entry.event)}
            {entry.generation === null ? null : <span class="finding-fix">generation {entry.generation}</span>}
          </td>
          <td>{[entry.from, entry.to].filter((state) => state !== null).join(" → ")}</td>
          <td>{entry.cause === null ? "" : toVisible(entry.cause.message)}</td>
        </tr>
      ))}
    </PlainTable>
  );
}

function Lines({ lines }: { readonly lines: readonly string[] }): VNode {
  if (lines.length === 0) return <p class="quiet">It has said nothing.</p>;
  return <Output text={lines.map((line) => toVisible(toLogLine(line))).join("\n")} label="Output of the container" />;
}
