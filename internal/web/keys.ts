/** One row of the keyboard table. */
export interface KeyRow {
  /** Name of what it does; screens give the deed under this name. */
  readonly action: Action;
  /** Any of these. `g i` is one key after the other; `mod+` is ctrl or cmd, `shift+` comes only after it. */
  readonly keys: readonly string[];
  /** For people, in the list of keys and in the command bar. */
  readonly label: string;
  readonly group: "Everywhere" | "Lists" | "Inbox" | "Lane";
}

/** What a key can do. */
export type Action =
  | "next"
  | "previous"
  | "open"
  | "back"
  | "choose"
  | "reply"
  | "send"
  | "queue"
  | "pull"
  | "approve"
  | "deny"
  | "done"
  | "undo"
  | "snooze"
  | "read"
  | "stop"
  | "new"
  | "search"
  | "filter"
  | "go.inbox"
  | "go.lanes"
  | "go.tasks"
  | "go.health"
  | "view.changes"
  | "view.logs"
  | "view.drift"
  | "view.terminal"
  | "lane.previous"
  | "lane.next"
  | "commands"
  | "keys";

/** The one table of keys: what listens, what `?` shows, what the command bar offers, what tests read. */
export const KEYS: readonly KeyRow[] = [
  { action: "next", keys: ["j", "ArrowDown"], label: "Next", group: "Lists" },
  { action: "previous", keys: ["k", "ArrowUp"], label: "Previous", group: "Lists" },
  { action: "open", keys: ["Enter", "o"], label: "Open", group: "Lists" },
  { action: "back", keys: ["Escape"], label: "Back", group: "Everywhere" },
  {
    action: "choose",
    keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
    label: "Choose that answer",
    group: "Inbox",
  },
  { action: "reply", keys: ["r"], label: "Write a reply", group: "Inbox" },
  { action: "send", keys: ["mod+Enter"], label: "Send what is written", group: "Everywhere" },
  { action: "queue", keys: ["mod+shift+Enter"], label: "Queue what is written", group: "Lane" },
  { action: "pull", keys: ["alt+ArrowUp"], label: "Edit the last queued job", group: "Lane" },
  { action: "approve", keys: ["a"], label: "Approve", group: "Inbox" },
  { action: "deny", keys: ["x"], label: "Deny, with a reason", group: "Inbox" },
  { action: "done", keys: ["e"], label: "Done", group: "Inbox" },
  { action: "undo", keys: ["u"], label: "Undo, or open again", group: "Inbox" },
  { action: "snooze", keys: ["h"], label: "Snooze", group: "Inbox" },
  { action: "read", keys: ["m"], label: "Mark as read, or as new", group: "Inbox" },
  { action: "stop", keys: ["s"], label: "Stop the running job", group: "Lane" },
  { action: "new", keys: ["n", "c"], label: "New lane, or new work in this lane", group: "Everywhere" },
  { action: "search", keys: ["/"], label: "Search", group: "Lists" },
  { action: "filter", keys: ["f"], label: "Filters", group: "Inbox" },
  { action: "go.inbox", keys: ["g i"], label: "Go to the inbox", group: "Everywhere" },
  { action: "go.lanes", keys: ["g l"], label: "Go to the lanes", group: "Everywhere" },
  { action: "go.tasks", keys: ["g t"], label: "Go to proposed tasks", group: "Everywhere" },
  { action: "go.health", keys: ["g s"], label: "Go to health", group: "Everywhere" },
  { action: "view.changes", keys: ["v c"], label: "Changes, and back", group: "Lane" },
  { action: "view.logs", keys: ["v l"], label: "Logs, and back", group: "Lane" },
  { action: "view.drift", keys: ["v g"], label: "Drift, and back", group: "Lane" },
  { action: "view.terminal", keys: ["v t"], label: "Terminal, and back", group: "Lane" },
  { action: "lane.previous", keys: ["["], label: "Previous lane, or file of the changes", group: "Lane" },
  { action: "lane.next", keys: ["]"], label: "Next lane, or file of the changes", group: "Lane" },
  { action: "commands", keys: ["mod+k"], label: "Command bar", group: "Everywhere" },
  { action: "keys", keys: ["?"], label: "List of keys", group: "Everywhere" },
];

/** Two keys belong together when the second comes within this time, ms. */
export const SEQUENCE_MS = 500;

/** A pressed key, as far as the table needs it. */
export interface Press {
  readonly key: string;
  readonly mod: boolean;
  readonly shift: boolean;
  readonly alt: boolean;
  /** The focus is in a field for text. */
  readonly typing: boolean;
  readonly atMs: number;
}

/** What a press means: an action and the key that meant it; `prefix`: the first of two keys; or nothing of ours. */
export type Meaning =
  | { readonly kind: "action"; readonly action: Action; readonly key: string }
  | { readonly kind: "prefix"; readonly key: string; readonly atMs: number }
  | { readonly kind: "none" };

/**
 * The meaning of a press after `before`, which is the prefix still open, if any. While a person types only keys with
 * ctrl, cmd or alt and Escape mean anything.
 */
export function meaningOf(press: Press, before: Meaning, table: readonly KeyRow[] = KEYS): Meaning {
  const key = nameOf(press);
  if (press.typing && key === press.key && key !== "Escape") return { kind: "none" };
  if (before.kind === "prefix" && press.atMs - before.atMs <= SEQUENCE_MS) {
    const both = find(table, `${before.key} ${key}`);
    if (both !== null) return both;
  }
  if (table.some((row) => row.keys.some((one) => one.startsWith(`${key} `)))) {
    return { kind: "prefix", key, atMs: press.atMs };
  }
  return find(table, key) ?? { kind: "none" };
}

/** A key as people read it. */
export function keyLabel(key: string): string {
  const held = key.replace("mod+", "Ctrl ").replace("shift+", "⇧ ").replace("alt+", "Alt ").replace("Enter", "↵");
  const capital = held.replace(/(?<=Ctrl )[a-z]$/, (letter) => letter.toUpperCase());
  return capital.replace("ArrowDown", "↓").replace("ArrowUp", "↑").replace("Escape", "Esc");
}

/** As the table writes it. Shift alone belongs to the character. */
function nameOf({ key, mod, shift, alt }: Press): string {
  return `${alt ? "alt+" : ""}${mod ? "mod+" : ""}${mod && shift ? "shift+" : ""}${key}`;
}

function find(table: readonly KeyRow[], key: string): Meaning | null {
  const row = table.find((one) => one.keys.includes(key));
  return row === undefined ? null : { kind: "action", action: row.action, key };
}
