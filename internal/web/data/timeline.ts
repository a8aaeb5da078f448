import type { ApiJobEvent } from "../../protocol/index.ts";

/** One thing in a job's timeline. Its texts are an agent's or a program's: hostile. */
export type Block = { readonly id: number } & (
  | { readonly kind: "text"; readonly text: string; readonly live: boolean }
  | { readonly kind: "thinking"; readonly text: string }
  | {
      readonly kind: "tool";
      readonly call: string;
      readonly tool: string;
      readonly title: string;
      readonly output: string;
      readonly state: "running" | "ok" | "failed";
    }
  | { readonly kind: "output"; readonly stream: string; readonly text: string }
  | { readonly kind: "files"; readonly paths: readonly string[] }
  | { readonly kind: "plan"; readonly steps: readonly { readonly text: string; readonly done: boolean }[] }
  | { readonly kind: "ask"; readonly question: string; readonly choices: readonly string[] }
  | { readonly kind: "note"; readonly tone: "info" | "warn"; readonly text: string }
);

/** What is shown of a job's events. */
export interface Timeline {
  readonly blocks: readonly Block[];
  /** How many earlier blocks were let go. */
  readonly dropped: number;
  /** The last event that is in it. */
  readonly seq: number;
  readonly model: string | null;
}

export const EMPTY_TIMELINE: Timeline = { blocks: [], dropped: 0, seq: 0, model: null };

/** Blocks kept of one job: a page of a day's run stays as small as that of a minute's. */
export const BLOCKS_MAX = 300;
/** Characters kept of one block, the last ones. */
export const BLOCK_TEXT_MAX = 48 * 1024;
/** Stands where the beginning of a long text was let go. */
const CUT_MARK = "[… the beginning is not shown …]\n";

/** The timeline after more events, in order. An event that is in it already changes nothing. */
export function foldEvents(timeline: Timeline, events: readonly ApiJobEvent[]): Timeline {
  const blocks = [...timeline.blocks];
  let { seq, model, dropped } = timeline;
  for (const event of events) {
    if (event.seq <= seq) continue;
    seq = event.seq;
    if (event.type === "session" && typeof event.model === "string") model = event.model;
    else apply(blocks, event);
    if (blocks.length > BLOCKS_MAX) dropped += blocks.splice(0, blocks.length - BLOCKS_MAX).length;
  }
  return { blocks, dropped, seq, model };
}

type Apply = (blocks: Block[], event: ApiJobEvent, id: number) => void;

/** What each type of event does; a type that is not here is not shown. Values are read with care: they may be anything. */
const APPLY: Readonly<Record<string, Apply>> = {
  text: addText,
  thinking: (blocks, event, id) => {
    const last = blocks.at(-1);
    if (last?.kind === "thinking") replaceLast(blocks, { ...last, text: clip(last.text + str(event.text)) });
    else blocks.push({ id, kind: "thinking", text: clip(str(event.text)) });
  },
  tool_started: (blocks, event, id) =>
    blocks.push({
      ...{ id, kind: "tool", call: str(event.call), tool: str(event.tool), title: str(event.title) },
      ...{ output: "", state: "running" },
    }),
  tool_output: (blocks, event) =>
    withTool(blocks, event, (tool) => ({ ...tool, output: clip(tool.output + str(event.text)) })),
  tool_finished: (blocks, event) =>
    withTool(blocks, event, (tool) => ({
      ...tool,
      state: event.ok === true ? "ok" : "failed",
      output: str(event.text) === "" ? tool.output : clip(str(event.text)),
    })),
  output: addOutput,
  files_changed: (blocks, event, id) => {
    const paths = list(event.paths).map(str).slice(0, 200);
    if (paths.length > 0) blocks.push({ id, kind: "files", paths });
  },
  plan: (blocks, event, id) => {
    const steps = list(event.steps)
      .slice(0, 100)
      .map((step) => ({ text: str(field(step, "text")), done: field(step, "done") === true }));
    const at = blocks.findIndex((block) => block.kind === "plan");
    // An agent tells its whole plan again and again: the newest takes the place of the one before.
    if (at >= 0) blocks.splice(at, 1);
    blocks.push({ id, kind: "plan", steps });
  },
  ask: (blocks, event, id) =>
    blocks.push({ id, kind: "ask", question: str(event.question), choices: list(event.choices).map(str).slice(0, 9) }),
  rate_limited: (blocks, event, id) => blocks.push({ id, kind: "note", tone: "warn", text: str(event.message) }),
  warning: (blocks, event, id) => blocks.push({ id, kind: "note", tone: "warn", text: str(event.message) }),
  gap: (blocks, event, id) =>
    blocks.push({ id, kind: "note", tone: "warn", text: `${str(event.bytes)} bytes of output are not kept` }),
  cancelling: (blocks, event, id) =>
    blocks.push({ id, kind: "note", tone: "info", text: `Stopping its processes (${str(event.signal)})` }),
  state: (blocks, event, id) => {
    if (typeof event.detail === "string" && event.detail !== "") {
      blocks.push({ id, kind: "note", tone: "info", text: `${str(event.phase)}: ${event.detail}` });
    }
  },
};

function apply(blocks: Block[], event: ApiJobEvent): void {
  if (Object.hasOwn(APPLY, event.type)) APPLY[event.type]?.(blocks, event, event.seq);
}

function addText(blocks: Block[], event: ApiJobEvent, id: number): void {
  const last = blocks.at(-1);
  const text = str(event.text);
  const live = event.partial === true;
  if (last?.kind === "text" && last.live) {
    replaceLast(blocks, { ...last, text: clip(live ? last.text + text : text), live });
  } else {
    blocks.push({ id, kind: "text", text: clip(text), live });
  }
}

function addOutput(blocks: Block[], event: ApiJobEvent, id: number): void {
  // What an agent's own stream means is told by other events.
  if (event.raw === true) return;
  const text =
    typeof event.text === "string" ? plain(event.text) : `[${str(event.base64).length} characters of binary output]\n`;
  const stream = str(event.stream);
  const last = blocks.at(-1);
  if (last?.kind === "output" && last.stream === stream) replaceLast(blocks, { ...last, text: clip(last.text + text) });
  else blocks.push({ id, kind: "output", stream, text: clip(text) });
}

type Tool = Extract<Block, { readonly kind: "tool" }>;

function withTool(blocks: Block[], event: ApiJobEvent, change: (tool: Tool) => Tool): void {
  const at = blocks.findLastIndex((block) => block.kind === "tool" && block.call === event.call);
  const tool = blocks[at];
  if (tool?.kind === "tool") blocks[at] = change(tool);
}

function replaceLast(blocks: Block[], block: Block): void {
  blocks[blocks.length - 1] = block;
}

function clip(text: string): string {
  return text.length <= BLOCK_TEXT_MAX ? text : CUT_MARK + text.slice(-(BLOCK_TEXT_MAX - CUT_MARK.length));
}

/** Begins the colours and cursor movements of terminals. */
const ESCAPE = String.fromCharCode(27);
const BELL = String.fromCharCode(7);

/** Without what terminals would not show as text. */
function plain(text: string): string {
  const [first = "", ...rest] = text.split(ESCAPE);
  return [first, ...rest.map(afterSequence)].join("").replace(/\r(?!\n)/g, "\n");
}

function afterSequence(part: string): string {
  // A title or link: up to a bell, else to the next escape.
  if (part.startsWith("]")) return part.includes(BELL) ? part.slice(part.indexOf(BELL) + 1) : "";
  return part.replace(/^(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])/, "");
}

function str(value: unknown): string {
  return typeof value === "string" ? value : value === null || value === undefined ? "" : String(value);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
