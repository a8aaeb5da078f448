import type { Agent } from "./agent.ts";

/** What came of something that an agent asked before it exited. */
export interface QuestionOutcome {
  readonly question: string;
  /** Null: there is none, and will not be. */
  readonly answer: string | null;
  /** Who gave it: a person, rules that people made, or nobody in time, so that the agent's own default counts. */
  readonly by: "person" | "policy" | "default" | "nobody";
}

/**
 * The prompt of a job's next attempt: in the session of the earlier one the outcomes alone, since the agent knows the
 * rest; without that session what it was told before, and the outcomes. A script finds the newest one in `INBOX_QUESTION`
 * and `INBOX_ANSWER`, which are no variables of its environment: an answer may be longer than one of these.
 */
export function composeOutcomePrompt(
  agent: Pick<Agent, "prompts">,
  opts: { readonly prompt: string; readonly resumed: boolean; readonly outcomes: readonly QuestionOutcome[] },
): string {
  const { prompt, resumed, outcomes } = opts;
  const last = outcomes.at(-1);
  if (last === undefined) return prompt;
  if (agent.prompts === "script") {
    const variables = [`INBOX_QUESTION=${quote(last.question)}`, `INBOX_ANSWER=${quote(last.answer ?? "")}`];
    return `${variables.join("\n")}\n${prompt}`;
  }
  const told = outcomes.map(renderOutcome).join("\n\n");
  return resumed ? told : `${prompt}\n\n${told}`;
}

function renderOutcome({ question, answer, by }: QuestionOutcome): string {
  const asked = `You asked: ${question}`;
  if (answer === null && by === "person") return `${asked}\nIt was put away without an answer: decide yourself.`;
  if (answer === null) return `${asked}\nNobody answered in time: decide yourself, or ask again.`;
  const intro: Readonly<Record<QuestionOutcome["by"], string>> = {
    person: "The answer (by a person)",
    policy: "The answer (by a rule that people made)",
    default: "Nobody answered in time, so your own default counts",
    nobody: "The answer",
  };
  return `${asked}\n${intro[by]}: ${answer}`;
}

/** As one word of `sh`. */
function quote(text: string): string {
  return `'${text.replaceAll("\0", "").replaceAll("'", "'\\''")}'`;
}
