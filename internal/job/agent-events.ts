/**
 * What an agent did, in words that are the same for all agents. Texts come from inside a lane: hostile input, but
 * each is bounded, and a session is fit to be an argument.
 */
export type AgentEvent =
  | { readonly type: "session"; readonly session: string; readonly model: string | null }
  /** `partial` adds to the text under way. Without it `text` is whole: it ends the text under way and contains all of it. */
  | { readonly type: "text"; readonly text: string; readonly partial: boolean }
  | { readonly type: "thinking"; readonly text: string }
  | { readonly type: "tool_started"; readonly tool: string; readonly call: string; readonly title: string }
  /** Adds to what the tool printed up to now. */
  | { readonly type: "tool_output"; readonly call: string; readonly text: string }
  /** `text`: all of its output. */
  | { readonly type: "tool_finished"; readonly call: string; readonly ok: boolean; readonly text: string }
  | { readonly type: "files_changed"; readonly paths: readonly string[] }
  | { readonly type: "plan"; readonly steps: readonly { readonly text: string; readonly done: boolean }[] }
  | { readonly type: "ask"; readonly question: string; readonly choices: readonly string[] }
  /** The agent waits by itself and goes on, or a limit was reported. `cause`: what the run would fail of if it ended now, a kind of `agents/`. */
  | {
      readonly type: "rate_limited";
      readonly message: string;
      readonly resetsAtMs: number | null;
      readonly cause: string;
    }
  | { readonly type: "usage"; readonly usage: AgentUsage }
  | { readonly type: "warning"; readonly message: string };

/** Sums over a run, without what its session had used before. */
export interface AgentUsage {
  /** All that was sent, also what came from a cache. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The part of `inputTokens` that came from a cache. */
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
  /** The agent's own, most telling word for it, as `rate_limit`. */
  readonly code: string | null;
  /** When a limit ends, ms since the epoch. */
  readonly resetsAtMs: number | null;
}
