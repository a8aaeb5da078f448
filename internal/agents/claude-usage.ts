import type { AgentUsage } from "../job/index.ts";
import { countIn, type JsonObject, numberIn, objectIn } from "./json-fields.ts";

/**
 * What was used since the last result. `modelUsage` and the cost beside it count from the session's beginning, also over
 * resumed runs, and `usage` leaves sub-agents out.
 */
export function toClaudeUsage(result: JsonObject): AgentUsage {
  const models = objectIn(result, "model_usage_since_last_result") ?? objectIn(result, "modelUsage");
  return Object.keys(models ?? {})
    .map((model) => toModelUsage(objectIn(models, model)))
    .reduce(addUsage, { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, costUsd: 0 });
}

/** Sums; the cost is unknown when one of them is. */
export function addUsage(a: AgentUsage, b: AgentUsage): AgentUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
  };
}

function toModelUsage(model: JsonObject | null): AgentUsage {
  const cacheReadTokens = countIn(model, "cacheReadInputTokens");
  return {
    inputTokens: countIn(model, "inputTokens") + countIn(model, "cacheCreationInputTokens") + cacheReadTokens,
    outputTokens: countIn(model, "outputTokens"),
    cacheReadTokens,
    costUsd: numberIn(model, "costUSD") === null ? null : countIn(model, "costUSD"),
  };
}
