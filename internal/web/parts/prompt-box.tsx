import type { RefObject, VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiAgent, ApiJob, ApiLane, SubmitJob } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { useFetched } from "./hooks.ts";

/** Where new work for a lane is written. What is sent while a job runs waits its turn. */
export function PromptBox(props: {
  readonly app: App;
  readonly lane: ApiLane;
  /** An agent's conversation can be gone on with. */
  readonly hasSession: boolean;
  readonly isBusy: boolean;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly onSent: (job: ApiJob) => void;
}): VNode {
  const { app, lane, isBusy } = props;
  const [text, setText] = useState("");
  const [mode, setMode] = useState<"prompt" | "command">("prompt");
  const [agent, setAgent] = useState("");
  const [isFresh, setFresh] = useState(false);
  const [isSending, setSending] = useState(false);
  const { value: agents } = useFetched("agents", 0, (_, signal) =>
    app.api.call<ApiAgent[]>("GET", "/v1/agents", undefined, { signal }),
  );
  const send = async () => {
    if (text.trim() === "" || isSending) return;
    setSending(true);
    const session = props.hasSession && !isFresh ? "continue" : "new";
    const body: SubmitJob =
      mode === "command"
        ? { kind: "command", argv: ["sh", "-c", text] }
        : { kind: "prompt", prompt: text, session, ...(agent === "" ? {} : { agent }) };
    try {
      const path = `/v1/lanes/${lane.id}/jobs`;
      props.onSent(await app.api.call<ApiJob>("POST", path, body, { key: crypto.randomUUID() }));
      setText("");
    } catch (error) {
      app.say(`Not sent: ${describeError(error)}`);
    } finally {
      setSending(false);
    }
  };
  const usable = agents?.filter((one) => one.inUse !== null || one.package === null) ?? [];
  return (
    <form
      class="prompt-box"
      aria-label="New work"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <textarea
        ref={props.field}
        class="input"
        rows={3}
        aria-label={mode === "prompt" ? "Prompt" : "Command"}
        placeholder={mode === "prompt" ? "What should be done in this lane?" : "A shell command to run in this lane"}
        spellcheck={mode === "prompt"}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          void send();
        }}
      />
      <div class="prompt-bar">
        <select
          class="input"
          aria-label="Kind of work"
          value={mode}
          onChange={(event) => setMode(event.currentTarget.value === "command" ? "command" : "prompt")}
        >
          <option value="prompt">Prompt</option>
          <option value="command">Command</option>
        </select>
        {mode === "prompt" ? (
          <select
            class="input"
            aria-label="Agent"
            value={agent}
            onChange={(event) => setAgent(event.currentTarget.value)}
          >
            <option value="">{lane.agent === null ? "Usual agent" : `${lane.agent} (the lane’s)`}</option>
            {usable.map((one) => (
              <option key={one.agent} value={one.agent}>
                {one.title}
              </option>
            ))}
          </select>
        ) : null}
        {mode === "prompt" && props.hasSession ? (
          <label class="check">
            <input type="checkbox" checked={isFresh} onChange={(event) => setFresh(event.currentTarget.checked)} />
            New conversation
          </label>
        ) : null}
        <button type="submit" class="button primary" disabled={text.trim() === "" || isSending}>
          {isBusy ? "Queue" : "Send"} <kbd>Ctrl ↵</kbd>
        </button>
      </div>
    </form>
  );
}
