import { type Action, type Meaning, meaningOf } from "./keys.ts";

/** What an action does. `key` is the one that was pressed, as for a numbered choice. Gives false when it is not for now. */
export type Deed = (key: string) => unknown;

/** Deeds by action, as a screen offers them. */
export type Deeds = { readonly [A in Action]?: Deed };

/** The deeds of what is on the page now. */
export interface KeyActions extends Disposable {
  /** Adds deeds until the returned function is called. The latest ones win. `choices`: what `choose` has to offer. */
  bind(deeds: Deeds, choices?: () => readonly string[]): () => void;
  /** Does an action, as the command bar does. False when nothing on the page does it. */
  run(action: Action, key?: string): boolean;
  /** Can it be done now? */
  has(action: Action): boolean;
  /** The answers that `choose` picks from by number. */
  choices(): readonly string[];
}

/** Listens to the keys of `doc`. */
export function createKeyActions(doc: Document): KeyActions {
  const layers: { readonly deeds: Deeds; readonly choices: () => readonly string[] }[] = [];
  const stop = new AbortController();
  let before: Meaning = { kind: "none" };
  const run = (action: Action, key: string): boolean => {
    for (const { deeds } of layers.toReversed()) {
      const deed = deeds[action];
      if (deed && deed(key) !== false) return true;
    }
    return false;
  };
  const onKey = (event: KeyboardEvent) => {
    // An open dialog has the keys to itself; Escape closes it by the browser's own doing.
    if (event.defaultPrevented || event.isComposing || doc.querySelector("dialog[open]")) return;
    // Out of the field first; what Escape means on the screen comes with the next one.
    if (event.key === "Escape" && isTyping(event.target)) return event.target.blur();
    const press = {
      ...{ key: event.key, mod: event.ctrlKey || event.metaKey, shift: event.shiftKey, alt: event.altKey },
      ...{ typing: isTyping(event.target), atMs: event.timeStamp },
    };
    before = meaningOf(press, before);
    if (before.kind !== "action" || hasOwnUse(event)) return;
    if (run(before.action, before.key)) event.preventDefault();
  };
  doc.addEventListener("keydown", onKey, { signal: stop.signal });
  return {
    bind(deeds, choices = () => []) {
      const layer = { deeds, choices };
      layers.push(layer);
      return () => {
        const at = layers.indexOf(layer);
        if (at >= 0) layers.splice(at, 1);
      };
    },
    run: (action, key = "") => run(action, key),
    has: (action) => layers.some(({ deeds }) => deeds[action] !== undefined),
    choices: () => layers.flatMap(({ choices }) => choices()),
    [Symbol.dispose]: () => stop.abort(),
  };
}

function isTyping(target: EventTarget | null): target is HTMLElement {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["button", "checkbox", "radio", "submit"].includes(target.type);
  // A terminal takes every key; its own element is a text area.
  return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Enter and the arrows belong to the button, link or fold that has the focus. */
function hasOwnUse(event: KeyboardEvent): boolean {
  const target = event.target;
  return (
    event.key === "Enter" &&
    !event.ctrlKey &&
    !event.metaKey &&
    target instanceof Element &&
    target.closest("button, a, summary") !== null
  );
}
