export type { AgentEvent, AgentFailureFacts, AgentSummary, AgentUsage } from "./agent-events.ts";
export type {
  HostEventBody,
  JobLogEvent,
  LaneWord,
  OutputChunk,
  WorkerEvent,
  WorkerEventBody,
  WorkerOutcome,
} from "./events.ts";
export {
  INBOX_KINDS,
  type InboxActor,
  type InboxEvent,
  type InboxItem,
  type InboxKind,
  type InboxReport,
  type InboxState,
  type InboxTask,
  isWaiting,
  transitionItem,
} from "./inbox-item.ts";
export type { Job, JobSpec, JobWork, RetryPolicy } from "./job-spec.ts";
export {
  type ActiveState,
  type AttemptEnd,
  isActive,
  isTerminal,
  JOB_PHASES,
  type JobError,
  type JobEvent,
  type JobEventType,
  type JobPhase,
  type JobResult,
  type JobState,
  type TerminalState,
  transition,
} from "./job-state.ts";
