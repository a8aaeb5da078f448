import type { RefObject, VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiAgent, ApiJob, ApiLane, SubmitJob } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { type Draft, toShell } from "../data/draft.ts";
import { useFetched, useKeys } from "./hooks.ts";

/** Where new work for a lane is written. What is sent while a job runs waits its turn. */
export function PromptBox(props: {
  readonly app: App;
  readonly lane: ApiLane;
  readonly draft: Draft;
  readonly onDraft: (change: (before: Draft) => Draft) => void;
  /** An agent's conversation can be gone on with. */
  readonly hasSession: boolean;
  readonly isBusy: boolean;
  /** There is a queued job that can be taken back into the box. */
  readonly canPull: boolean;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly onSent: (job: ApiJob) => void;
}): VNode {
  const { app, lane, draft, isBusy, hasSession } = props;
  const { text, mode } = draft;
  const set = (change: Partial<Draft>) => props.onDraft((before) => ({ ...before, ...change }));
  const [isSending, setSending] = useState(false);
  const { value: agents } = useFetched("agents", 0, (_, signal) =>
    app.api.call<ApiAgent[]>("GET", "/v1/agents", undefined, { signal }),
  );
  const send = async () => {
    setSending(true);
    try {
      const [path, body] = [`/v1/lanes/${lane.id}/jobs`, toBody(draft, hasSession)];
      props.onSent(await app.api.call<ApiJob>("POST", path, body, { key: crypto.randomUUID() }));
      // What was written meanwhile stays.
      props.onDraft((before) => (before.text === text ? { ...before, text: "" } : before));
    } catch (error) {
      app.say(`Not sent: ${describeError(error)}`);
    } finally {
      setSending(false);
    }
  };
  const sendNow = () => (text.trim() === "" || isSending ? false : void send());
  // A lane does one job at a time: what is sent while one runs is queued, whichever key sends it.
  useKeys(app, { send: sendNow, queue: sendNow });
  const usable = agents?.filter((one) => one.inUse !== null || one.package === null) ?? [];
  return (
    <form
      class="prompt-box"
      aria-label="New work"
      onSubmit={(event) => {
        event.preventDefault();
        sendNow();
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
        onInput={(event) => set({ text: event.currentTarget.value })}
      />
      <div class="prompt-bar">
        <select
          class="input"
          aria-label="Kind of work"
          value={mode}
          onChange={(event) => set({ mode: event.currentTarget.value === "command" ? "command" : "prompt" })}
        >
          <option value="prompt">Prompt</option>
          <option value="command">Command</option>
        </select>
        {mode === "prompt" ? (
          <select
            class="input"
            aria-label="Agent"
            value={draft.agent}
            onChange={(event) => set({ agent: event.currentTarget.value })}
          >
            <option value="">{lane.agent === null ? "Usual agent" : `${lane.agent} (the lane’s)`}</option>
            {usable.map((one) => (
              <option key={one.agent} value={one.agent}>
                {one.title}
              </option>
            ))}
          </select>
        ) : null}
        {mode === "prompt" && hasSession ? (
          <label class="check">
            <input
              type="checkbox"
              checked={draft.isFresh}
              onChange={(event) => set({ isFresh: event.currentTarget.checked })}
            />
            New conversation
          </label>
        ) : null}
        {props.canPull ? (
          <button type="button" class="button plain" onClick={() => void app.keys.run("pull")}>
            Edit the last queued <kbd>Alt ↑</kbd>
          </button>
        ) : null}
        <button type="submit" class="button primary" disabled={text.trim() === "" || isSending}>
          {isBusy ? "Queue" : "Send"} <kbd>Ctrl ↵</kbd>
        </button>
      </div>
    </form>
  );
}

function toBody({ text, mode, agent, isFresh }: Draft, hasSession: boolean): SubmitJob {
  if (mode === "command") return { kind: "command", argv: toShell(text) };
  const session = hasSession && !isFresh ? "continue" : "new";
  return { kind: "prompt", prompt: text, session, ...(agent === "" ? {} : { agent }) };
}
