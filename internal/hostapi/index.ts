export type { LaneConfigService } from "./config-ports.ts";
export { type ApiEnv, createHostApi, type HostApi, type HostApiDeps, type Via } from "./host-api.ts";
export { createLaneApi, type LaneApi, type LaneApiAnswer } from "./lane-api.ts";
export type { LaneGitService, LaneService, LaneView, NewLane, SettingsChange } from "./lane-ports.ts";
export type { LaneApiCall } from "./lane-routes.ts";
export { type Listener, listenTcp, listenUnix } from "./listen.ts";
export { createMetrics } from "./metrics.ts";
export { buildOpenApi, type OpenApiDocument } from "./openapi.ts";
export type { Awaitable, CallOptions, WaitOptions } from "./port-terms.ts";
export type {
  AgentService,
  ApiLog,
  CredentialService,
  FeedEntry,
  FeedService,
  HostApiPorts,
  InboxService,
  JobService,
  MetricsSource,
  StatusService,
  TerminalService,
  TerminalSession,
  WorkspaceService,
} from "./ports.ts";
export { openPageFiles } from "./static.ts";
export { toApiPlan } from "./to-api.ts";
export { loadOrCreateToken } from "./token.ts";
