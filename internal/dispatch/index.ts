export type { AdmissionLimits, WaitReason } from "./admission.ts";
export type { Submitted } from "./commands.ts";
export type { DispatcherDeps } from "./context.ts";
export { createDispatcher, type Dispatcher } from "./dispatcher.ts";
export type { LaneDeath } from "./lane-end.ts";
export { DEFAULT_POLICY, type DispatchPolicy } from "./policy.ts";
export type {
  AttemptFiles,
  AttemptRecord,
  CallOptions,
  DispatchStore,
  Hold,
  JobRecords,
  Judgement,
  LaneLink,
  StartRequest,
  WorkResolver,
} from "./ports.ts";
export { createCommandResolver } from "./resolve-work.ts";
