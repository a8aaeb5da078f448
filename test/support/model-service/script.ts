import type { Failure, Question, Reply, Usage } from "./vendor.ts";

/** What a line of a prompt makes the model do; the order counts. */
export type Step =
  /** `@say TEXT` */
  | { readonly do: "say"; readonly text: string }
  /** `@history`: says how many prompts came along, and the first of them. */
  | { readonly do: "history" }
  /** `@run COMMAND`: calls the agent's shell tool; goes on when the result is there. */
  | { readonly do: "run"; readonly command: string }
  /** `@fail STATUS [TIMES]`, `@fail key`: refuses, always or this many times. */
  | { readonly do: "fail"; readonly failure: Failure; readonly times: number }
  /** `@limit SECONDS`: the account's allowance is spent for so long; this prompt does it once. */
  | { readonly do: "limit"; readonly forMs: number }
  /** `@hang`: never answers. */
  | { readonly do: "hang" };

/** How the answers to a prompt come. */
export interface Manner {
  /** `@slow MS`: the pause after each word. */
  readonly slowMs: number;
  /** `@drop`: streams end in mid-answer. */
  readonly drop: boolean;
  /** `@usage IN OUT`: what each answer reports. */
  readonly usage: Usage | null;
}

/** A prompt, understood. */
export interface Script {
  readonly steps: readonly Step[];
  readonly manner: Manner;
}

const HISTORY_CHARS = 60;

/** Reads the lines that begin with `@`; all others are for the eye. An unknown word is a step that refuses. */
export function parseScript(prompt: string): Script {
  const steps: Step[] = [];
  let manner: Manner = { slowMs: 0, drop: false, usage: null };
  for (const [, verb = "", rest = ""] of prompt.matchAll(/^@(\w+)[ \t]*(.*)$/gm)) {
    const change = parseManner(verb, rest);
    if (change === null) steps.push(parseStep(verb, rest));
    else manner = { ...manner, ...change };
  }
  return { steps, manner };
}

function parseManner(verb: string, rest: string): Partial<Manner> | null {
  if (verb === "slow") return { slowMs: Number(rest) };
  if (verb === "drop") return { drop: true };
  if (verb !== "usage") return null;
  const [input = 0, output = 0] = rest.split(/\s+/).map(Number);
  return { usage: { input, output } };
}

function parseStep(verb: string, rest: string): Step {
  switch (verb) {
    case "say":
      return { do: "say", text: rest };
    case "history":
      return { do: "history" };
    case "run":
      return { do: "run", command: rest };
    case "limit":
      return { do: "limit", forMs: Number(rest) * 1000 };
    case "hang":
      return { do: "hang" };
    case "fail": {
      const [what = "", times] = rest.split(/\s+/);
      const failure: Failure = what === "key" ? { kind: "bad_key" } : { kind: "status", status: Number(what) };
      return { do: "fail", failure, times: times === undefined ? Number.POSITIVE_INFINITY : Number(times) };
    }
    default: {
      const failure: Failure = { kind: "script", message: `the stand-in does not know @${verb}` };
      return { do: "fail", failure, times: Number.POSITIVE_INFINITY };
    }
  }
}

/** What is to be done about a question. */
export type Decision =
  | { readonly kind: "refuse"; readonly failure: Failure }
  | { readonly kind: "limit"; readonly forMs: number }
  | { readonly kind: "hang" }
  | { readonly kind: "reply"; readonly reply: Reply; readonly manner: Manner };

/** Counts a use of the step with this number; may it act, when it may do so this many times in all? */
export type Spend = (step: number, times: number) => boolean;

/** Decides by the newest prompt alone: each tool result since then stands for a `@run` that is done. */
export function decide(question: Question, spend: Spend): Decision {
  const at = question.turns.findLastIndex((turn) => turn.by === "user");
  const results = question.turns.slice(at + 1);
  const { steps, manner } = parseScript(question.turns[at]?.text ?? "");
  const first = stepAfterRun(steps, results.length);
  const said: string[] = [];
  let command: string | null = null;
  for (let index = first; index < steps.length && command === null; index += 1) {
    const step = steps[index] as Step;
    const refusal = decideRefusal(step, index, spend);
    if (refusal !== null) return refusal;
    if (step.do === "say") said.push(step.text);
    if (step.do === "history") said.push(renderHistory(question));
    if (step.do === "run") command = step.command;
  }
  const result = results.at(-1)?.text.trim();
  if (said.length === 0 && command === null) said.push(result === undefined ? "ok" : `done: ${result}`);
  const text = said.join("\n");
  const usage = manner.usage ?? estimateUsage(question, `${text}${command ?? ""}`);
  return { kind: "reply", reply: { text, command, usage }, manner };
}

function decideRefusal(step: Step, index: number, spend: Spend): Decision | null {
  if (step.do === "hang") return { kind: "hang" };
  if (step.do === "limit" && spend(index, 1)) return { kind: "limit", forMs: step.forMs };
  if (step.do === "fail" && spend(index, step.times)) return { kind: "refuse", failure: step.failure };
  return null;
}

/** Where to go on when so many runs are done. */
function stepAfterRun(steps: readonly Step[], done: number): number {
  const runs = steps.flatMap((step, index) => (step.do === "run" ? [index] : []));
  return done === 0 ? 0 : (runs[done - 1] ?? steps.length - 1) + 1;
}

function renderHistory(question: Question): string {
  const prompts = question.turns.filter((turn) => turn.by === "user");
  const first = (prompts[0]?.text.trim() ?? "").replaceAll(/\s+/g, " ").slice(0, HISTORY_CHARS);
  return `prompts: ${prompts.length}; first: ${first}`;
}

function estimateUsage(question: Question, answer: string): Usage {
  const chars = question.turns.reduce((sum, turn) => sum + turn.text.length, 0);
  return { input: Math.ceil(chars / 4), output: Math.ceil(answer.length / 4) };
}
