export {
  connectEngine,
  type EngineSettings,
  type PodmanConnection,
  readProfile,
  type StoredProfile,
} from "./connect-engine.ts";
export type { BuildFacts } from "./derived-body.ts";
export { createImageBuilder, type FoundDerived, type ImageBuilder } from "./derived-image.ts";
export {
  type HardLimits,
  limitCandidates,
  type ProfileTry,
  parseHardLimits,
  type RuntimeProfile,
  readHardLimits,
  type TrialService,
  tryProfiles,
} from "./engine-profile.ts";
export { createExecClient, type ExecClient } from "./exec-session.ts";
export { type FoundService, findService, type ServiceSearch, stopOwnService } from "./find-service.ts";
export { parseInspect, parseList } from "./parse-inspect.ts";
export { type CallOptions, createPodmanRuntime, type PodmanFacts, type PodmanRuntime } from "./podman-runtime.ts";
export { toCreateBody } from "./to-create-body.ts";
