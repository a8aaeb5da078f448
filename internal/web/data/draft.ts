import type { ApiJob } from "../../protocol/index.ts";

/** What stands in the box for new work. */
export interface Draft {
  readonly text: string;
  readonly mode: "prompt" | "command";
  /** Empty for the usual one. */
  readonly agent: string;
  /** Begin a conversation, although there is one to go on with. */
  readonly isFresh: boolean;
}

export const EMPTY_DRAFT: Draft = { text: "", mode: "prompt", agent: "", isFresh: false };

/** The argv of a command as it is written in the box: a line for the shell. */
export function toShell(line: string): string[] {
  return ["sh", "-c", line];
}

/** The line of {@link toShell}; null for a command that did not come from the box. */
export function shellLineOf(argv: readonly string[] | null): string | null {
  const [program, flag, line] = argv ?? [];
  return program === "sh" && flag === "-c" && argv?.length === 3 ? (line ?? null) : null;
}

/**
 * The box with a job that was taken back into it: its text before what stands there, which is kept. Null when the two do
 * not go together: a command made elsewhere, or a command and a prompt.
 */
export function withJob(draft: Draft, job: Pick<ApiJob, "kind" | "argv" | "prompt" | "agent">): Draft | null {
  const text = job.kind === "prompt" ? job.prompt : shellLineOf(job.argv);
  if (text === null || (draft.text.trim() !== "" && draft.mode !== job.kind)) return null;
  const joined = draft.text.trim() === "" ? text : `${text}\n\n${draft.text}`;
  return { ...draft, mode: job.kind, agent: job.agent ?? draft.agent, text: joined };
}
