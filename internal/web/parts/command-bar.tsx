import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { App } from "../app.ts";
import { KEYS, keyLabel } from "../keys.ts";
import { toPath } from "../router.ts";
import { Dialog } from "./dialog.tsx";

interface Command {
  readonly id: string;
  readonly label: string;
  readonly key: string | null;
  readonly run: () => void;
}

const SHOWN_MAX = 12;

/** Everything that can be done here and now, and every lane, by typing a part of its name. */
export function CommandBar({ app, onClose }: { readonly app: App; readonly onClose: () => void }): VNode {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = commandsOf(app).filter(({ label }) => label.toLowerCase().includes(text.trim().toLowerCase()));
  const shown = found.slice(0, SHOWN_MAX);
  const chosen = Math.min(at, shown.length - 1);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    // After the dialog has given the focus back.
    setTimeout(command.run);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, shown.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
    else if (event.key === "Enter") run(shown[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Commands" onClose={onClose}>
      <input
        class="input"
        type="text"
        role="combobox"
        aria-label="Command or lane"
        aria-expanded="true"
        aria-controls="command-list"
        aria-activedescendant={chosen >= 0 ? `command-${chosen}` : undefined}
        placeholder="Command or lane"
        autocomplete="off"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id="command-list" class="command-list" role="listbox" aria-label="Commands">
        {shown.map((command, index) => (
          <div
            key={command.id}
            id={`command-${index}`}
            role="option"
            class="command"
            aria-selected={index === chosen}
            tabIndex={-1}
            onClick={() => run(command)}
            onKeyDown={onKeyDown}
          >
            <span>{command.label}</span>
            {command.key === null ? null : <kbd>{keyLabel(command.key)}</kbd>}
          </div>
        ))}
      </div>
      {shown.length === 0 ? <p class="quiet">Nothing is called that.</p> : null}
    </Dialog>
  );
}

function commandsOf(app: App): readonly Command[] {
  const can = KEYS.filter((row) => row.action !== "commands" && row.action !== "choose" && app.keys.has(row.action));
  const actions = can.map(({ action, label, keys: [key = ""] }) => ({
    ...{ id: action, label, key },
    run: () => void app.keys.run(action, key),
  }));
  const choices = app.keys.choices().map((choice, at) => ({
    ...{ id: `choose ${at}`, label: `Answer: ${choice}`, key: String(at + 1) },
    run: () => void app.keys.run("choose", String(at + 1)),
  }));
  const lanes = [...(app.store.lanes.value?.values() ?? [])].map((lane) => ({
    ...{ id: lane.id, label: `Lane ${lane.name}`, key: null },
    run: () => app.router.go(toPath("lane", { id: lane.id })),
  }));
  return [...choices, ...actions, ...lanes];
}
