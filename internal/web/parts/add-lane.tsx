import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { AddLane, ApiLane, ApiWorkspace } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { toPath } from "../router.ts";
import { Dialog } from "./dialog.tsx";
import { useFetched } from "./hooks.ts";

/** The form that makes a lane and starts it. */
export function AddLaneForm({ app, onClose }: { readonly app: App; readonly onClose: () => void }): VNode {
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const { value: workspaces, failure: listFailure } = useFetched("workspaces", 0, (_, signal) =>
    app.api.call<ApiWorkspace[]>("GET", "/v1/workspaces", undefined, { signal }),
  );
  const add = async (form: HTMLFormElement) => {
    const fields = new FormData(form);
    const text = (name: string) => String(fields.get(name) ?? "").trim();
    const body: AddLane = {
      name: text("name"),
      ...(text("workspace") === "" ? {} : { workspace: text("workspace") }),
      ...(text("from") === "" ? {} : { from: text("from") }),
    };
    setBusy(true);
    setFailure(null);
    try {
      const lane = await app.api.call<ApiLane>("POST", "/v1/lanes", body);
      app.store.putLane(lane);
      onClose();
      app.router.go(toPath("lane", { id: lane.id }));
      // It is begun; the lane's own screen shows how it goes.
      await app.api.call("POST", `/v1/lanes/${lane.id}/ensure?wait=0`);
    } catch (error) {
      setFailure(describeError(error));
      setBusy(false);
    }
  };
  const problem = failure ?? listFailure;
  return (
    <Dialog title="New lane" onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void add(event.currentTarget);
        }}
      >
        {workspaces?.length === 0 ? (
          <p class="notice">No repository is registered yet. In a terminal: lane workspace add &lt;path&gt;</p>
        ) : null}
        <label>
          Name
          <input class="input" name="name" required autofocus autocomplete="off" spellcheck={false} maxLength={64} />
        </label>
        <label>
          Repository
          <select class="input" name="workspace">
            {(workspaces ?? []).map((workspace) => (
              <option key={workspace.id} value={workspace.id}>
                {workspace.name}
              </option>
            ))}
          </select>
        </label>
        <label>
          Begins at <span class="quiet">(a branch or commit; the repository’s present one when empty)</span>
          <input class="input" name="from" autocomplete="off" spellcheck={false} />
        </label>
        {problem === null ? null : (
          <p class="notice bad" role="alert">
            {problem}
          </p>
        )}
        <p class="actions">
          <button type="submit" class="button primary" disabled={isBusy}>
            {isBusy ? "Making it…" : "Make the lane"}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
