import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiLaneMerge } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { formatCount } from "../format.ts";
import { Dialog } from "../parts/dialog.tsx";
import { useFetched } from "../parts/hooks.ts";
import { toVisible } from "./parse-patch.ts";

const HOW = {
  none: "There is nothing to merge.",
  ff: "The branch moves forward; no merge commit is needed.",
  merge: "A merge commit is made.",
  squash: "All of it becomes one commit.",
} as const;

/** Shows what a merge would do, and does it when a person says so. */
export function MergeDialog(props: {
  readonly app: App;
  readonly laneId: string;
  readonly onClose: () => void;
  readonly onMerged: () => void;
}): VNode {
  const { app, laneId, onClose } = props;
  const [isBusy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const [isAllowed, setAllowed] = useState(false);
  const path = `/v1/lanes/${laneId}/merge`;
  const { value: plan, failure } = useFetched(laneId, null, (_, signal) =>
    app.api.call<ApiLaneMerge>("POST", path, { dryRun: true, allowFlagged: true }, { signal }),
  );
  const merge = async () => {
    setBusy(true);
    setFailed(null);
    try {
      const body = isAllowed ? { allowFlagged: true } : {};
      const done = await app.api.call<ApiLaneMerge>("POST", path, body, { key: crypto.randomUUID() });
      app.say(`${formatCount(done.commits, "commit")} merged into ${done.into}.`);
      props.onMerged();
      onClose();
    } catch (error) {
      setFailed(describeError(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title="Merge this lane" onClose={onClose}>
      {failure === null && plan === null ? <p class="quiet">Looking at what would be done…</p> : null}
      {[failure, failed].map((text) =>
        text === null ? null : (
          <p key={text} class="notice bad" role="alert">
            {text}
          </p>
        ),
      )}
      {plan === null ? null : (
        <>
          <p>
            {formatCount(plan.commits, "commit")} into <strong>{toVisible(plan.into)}</strong>. {HOW[plan.strategy]}
          </p>
          {plan.flagged.length > 0 ? (
            <Flagged plan={plan} isAllowed={isAllowed} onAllow={(allowed) => setAllowed(allowed)} />
          ) : null}
          <p class="actions">
            <button
              type="button"
              class="button primary"
              disabled={isBusy || plan.strategy === "none" || (plan.flagged.length > 0 && !isAllowed)}
              onClick={() => void merge()}
            >
              {isBusy ? "Merging…" : "Merge"}
            </button>
            <button type="button" class="button" onClick={onClose}>
              Not now
            </button>
          </p>
        </>
      )}
    </Dialog>
  );
}

function Flagged(props: {
  readonly plan: ApiLaneMerge;
  readonly isAllowed: boolean;
  readonly onAllow: (allowed: boolean) => void;
}): VNode {
  return (
    <div class="notice warn">
      <p>Programs on your machine may run what is in these files:</p>
      <ul class="paths">
        {props.plan.flagged.map((file) => (
          <li key={file.path}>
            <code>{toVisible(file.path)}</code>
            {file.flags.map((flag) => `: ${toVisible(flag.message)}`)}
          </li>
        ))}
      </ul>
      <label class="check">
        <input
          type="checkbox"
          checked={props.isAllowed}
          onChange={(event) => props.onAllow(event.currentTarget.checked)}
        />
        I have looked at them. Merge them as well.
      </label>
    </div>
  );
}
