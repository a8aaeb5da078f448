import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiDrift, ApiLane } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { toVisible } from "../diff/parse-patch.ts";
import { Confirm } from "../parts/dialog.tsx";
import { useFetched, useKeys } from "../parts/hooks.ts";
import { useNeighbours } from "../parts/neighbours.ts";
import { PlainTable } from "../parts/scroll-box.tsx";
import { StateWord } from "../parts/state-word.tsx";
import { toPath } from "../router.ts";
import { LanePage } from "./lane-page.tsx";
import type { ScreenProps } from "./screen.ts";

const ACTIONS = {
  none: "The container is as it should be.",
  "waiting-for-idle": "It is made anew as soon as its job has ended.",
  held: "This lane keeps its container until you say otherwise.",
  recreating: "It is being made anew.",
} as const;

const POLICIES = {
  "when-idle": "made anew when it drifts and is idle",
  now: "made anew as soon as it drifts",
  hold: "never made anew by itself",
} as const;

/** Where a lane's container differs from what is wanted, and making it anew. */
export function Drift(props: ScreenProps): VNode {
  const [isAsking, setAsking] = useState(false);
  return (
    <LanePage
      {...props}
      at="drift"
      title="Drift"
      actions={(lane) => (
        <>
          {lane.job === null ? null : (
            <button type="button" class="button" onClick={() => void recreate(props.app, lane, false)}>
              Recreate when idle
            </button>
          )}
          <button type="button" class="button primary" onClick={() => setAsking(true)}>
            Recreate now…
          </button>
        </>
      )}
    >
      {(lane) => (
        <>
          <Fields key={lane.id} app={props.app} lane={lane} />
          {isAsking ? (
            <Confirm
              title={`Recreate ${lane.name}?`}
              text={
                lane.job === null
                  ? "The container is removed and made anew. Work tree, commits and the lane's volume stay."
                  : "The running job is ended with its container, which is made anew. Work tree, commits and the lane's volume stay."
              }
              yes="Recreate"
              onYes={() => void recreate(props.app, lane, true)}
              onClose={() => setAsking(false)}
            />
          ) : null}
        </>
      )}
    </LanePage>
  );
}

function Fields({ app, lane }: { readonly app: App; readonly lane: ApiLane }): VNode {
  const round = `${lane.generation} ${lane.state} ${lane.job} ${JSON.stringify(lane.drift)} ${JSON.stringify(lane.settings)}`;
  const { value: drift, failure } = useFetched(lane.id, round, (id, signal) =>
    app.api.call<ApiDrift>("GET", `/v1/lanes/${id}/drift`, undefined, { signal }),
  );
  useKeys(app, { back: () => app.router.go(toPath("lane", { id: lane.id })) });
  useNeighbours(app, lane, "drift");
  return (
    <div class="drift">
      <p class="meta">
        <StateWord state={lane.state} />
        <span title="How many containers this lane has had">generation {lane.generation}</span>
        {drift === null ? null : <span>{POLICIES[drift.policy]}</span>}
      </p>
      <p class="quiet">
        Drift is what differs between the container as it is wanted and as it runs: settings that were changed since it
        was made, or the container changed by hand.
      </p>
      {failure === null ? null : (
        <p class="notice bad" role="alert">
          {failure}
        </p>
      )}
      {drift === null ? null : (
        <p class={`notice ${drift.fields.length > 0 ? "warn" : "good"}`} role="status">
          {ACTIONS[drift.action]}
        </p>
      )}
      {drift === null || drift.fields.length === 0 ? null : (
        <PlainTable label="Differences" head={["Part", "Field", "Was", "Is"]}>
          {drift.fields.map((field) => (
            <tr key={`${field.part} ${field.field}`}>
              <td>{field.part}</td>
              <td>
                <code>{toVisible(field.field)}</code>
              </td>
              <Value text={field.was} />
              <Value text={field.is} />
            </tr>
          ))}
        </PlainTable>
      )}
    </div>
  );
}

function Value({ text }: { readonly text: string | null }): VNode {
  return <td>{text === null ? <span class="quiet">not there</span> : <code>{toVisible(text)}</code>}</td>;
}

async function recreate(app: App, lane: ApiLane, now: boolean): Promise<void> {
  try {
    const path = `/v1/lanes/${lane.id}/recreate?wait=0${now ? "&now=1" : ""}`;
    app.store.putLane(await app.api.call<ApiLane>("POST", path));
    app.say(now ? `${lane.name} is being made anew.` : `${lane.name} is made anew when it is idle.`);
  } catch (error) {
    app.say(`Not recreated: ${describeError(error)}`);
  }
}
