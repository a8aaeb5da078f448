export {
  type AccountEvent,
  type AccountState,
  holdsWork,
  nextAccount,
  OPEN_ACCOUNT,
  parseAccount,
} from "./account.ts";
export {
  AGENT_NAMES,
  type Agent,
  type AgentCommand,
  type AgentEnd,
  type AgentFile,
  type AgentName,
  type AgentParser,
  type AgentRun,
  type AgentVerdict,
  FAILURE_KINDS,
  type FailureKind,
  type GuideEntry,
  type InstallSpec,
  type JsonSettings,
  type LanePlatform,
  type LoginName,
  type LoginSource,
} from "./agent.ts";
export { composeInstructions } from "./compose-instructions.ts";
export { LINE_MAX_BYTES, type LineSplitter, newLineSplitter } from "./line-splitter.ts";
export { mergeJson } from "./merge-json.ts";
export { composeOutcomePrompt, type QuestionOutcome } from "./outcome-prompt.ts";
export { AGENTS, findAgent } from "./registry.ts";
export { isSessionId } from "./session-id.ts";
