export { type ApiEnv, createHostApi, type HostApi, type HostApiDeps, type Via } from "./host-api.ts";
export { createLaneApi, type LaneApi, type LaneApiAnswer, type LaneApiCall } from "./lane-api.ts";
export { type Listener, listenTcp, listenUnix } from "./listen.ts";
export { buildOpenApi, type OpenApiDocument } from "./openapi.ts";
export type {
  AgentService,
  ApiLog,
  Awaitable,
  CallOptions,
  CredentialService,
  FeedEntry,
  FeedService,
  HostApiPorts,
  JobService,
  LaneService,
  LaneView,
  NewLane,
  SettingsChange,
  StatusService,
  WaitOptions,
  WorkspaceService,
} from "./ports.ts";
export { toApiPlan } from "./to-api.ts";
export { loadOrCreateToken } from "./token.ts";
