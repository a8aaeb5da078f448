export { DEFAULT_LIMITS, type SupervisorDeps, type SupervisorLimits } from "./deps.ts";
export type { EngineState } from "./engine-session.ts";
export type { JanitorReport } from "./janitor.ts";
export type {
  BootFolders,
  CallOptions,
  Credentials,
  EngineConnection,
  EngineFinder,
  HostView,
  ImageMaker,
  JobDesk,
  LaneLink,
  LaneRuntime,
  LaneStore,
  ProbeResult,
  WorkerLinks,
  WorkerTarget,
} from "./ports.ts";
export { type Intent, type LaneView, Supervisor } from "./supervisor.ts";
