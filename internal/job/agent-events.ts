/** What an agent did, in words that are the same for all agents. Texts come from inside a lane: hostile input. */
export type AgentEvent =
  | { readonly type: "session"; readonly session: string; readonly model: string | null }
  /** `partial` adds to the text under way; without it `text` is whole. */
  | { readonly type: "text"; readonly text: string; readonly partial: boolean }
  | { readonly type: "thinking"; readonly text: string }
  | { readonly type: "tool_started"; readonly tool: string; readonly call: string; readonly title: string }
  | { readonly type: "tool_output"; readonly call: string; readonly text: string }
  | { readonly type: "tool_finished"; readonly call: string; readonly ok: boolean; readonly text: string }
  | { readonly type: "files_changed"; readonly paths: readonly string[] }
  | { readonly type: "plan"; readonly steps: readonly { readonly text: string; readonly done: boolean }[] }
  | { readonly type: "ask"; readonly question: string; readonly choices: readonly string[] }
  /**
   * The agent waits by itself and goes on, or a limit was reported. `cause`: what the run would fail of if it ended now,
   * one of the kinds of `agents/`.
   */
  | {
      readonly type: "rate_limited";
      readonly message: string;
      readonly resetsAtMs: number | null;
      readonly cause: string;
    }
  | { readonly type: "usage"; readonly usage: AgentUsage }
  | { readonly type: "warning"; readonly message: string };

/** Sums over a run. */
export interface AgentUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  /** US dollars by the agent's own account; null when it does not say. */
  readonly costUsd: number | null;
}

/** What a whole run said of itself. */
export interface AgentSummary {
  readonly session: string | null;
  /** The final answer. */
  readonly text: string | null;
  readonly usage: AgentUsage | null;
  /** The last, decisive line of the stream; null when it was cut off before one. */
  readonly final: { readonly ok: boolean; readonly facts: AgentFailureFacts } | null;
}

/** What a stream said about a failure, as far as it did. */
export interface AgentFailureFacts {
  readonly message: string | null;
  readonly httpStatus: number | null;
  /** The agent's own word for it, as `rate_limit`. */
  readonly code: string | null;
  /** When a limit ends, ms since the epoch. */
  readonly resetsAtMs: number | null;
}
