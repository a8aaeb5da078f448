export { laneAt, workspaceAt } from "./at-folder.ts";
export {
  INSTALL_LABEL,
  LABEL_PREFIX,
  type LaneLabels,
  parseLabels,
  parseOwner,
  toLabels,
  toResourceLabels,
} from "./labels.ts";
export {
  DEFAULT_SETTINGS,
  type Desired,
  type DriftPolicy,
  type Lane,
  type LaneHistoryEntry,
  type LaneSettings,
  type Workspace,
} from "./lane.ts";
export {
  type AgentSpec,
  type BinarySpec,
  type DriftField,
  LANE_SPEC_SCHEMA,
  type LaneSpec,
  type LimitsSpec,
  type MountSpec,
  type NetworkSpec,
  type PublishedPort,
  type SecuritySpec,
  SPEC_PARTS,
  type SpecPart,
  type WorkerSpec,
} from "./lane-spec.ts";
export {
  containerOf,
  generationOf,
  LANE_PHASES,
  type LaneCause,
  type LaneEvent,
  type LaneEventType,
  type LanePhase,
  type LaneState,
  toCause,
  transition,
} from "./lane-state.ts";
export {
  BOOT_GIT,
  BOOT_GUIDE,
  IN_LANE,
  LANE_NAME_MAX,
  LOGIN_SHELL,
  laneIdOf,
  PORTS_MAX,
  parseLaneName,
  RELAY_PORT,
  resourceNames,
  WORKER_PORT,
  WORKER_UID,
} from "./names.ts";
export { nodeCaEnv } from "./node-ca-env.ts";
export type {
  ContainerStatus,
  ContainerSummary,
  EngineEvent,
  ObservedContainer,
  ObservedMount,
  ObservedPort,
} from "./observed.ts";
export {
  type DerivedImage,
  derivedImageOf,
  derivedImages,
  hasPackages,
  isAptPackage,
  isNpmPackage,
  PACKAGES_MAX,
  type Packages,
  parsePackages,
  renderPackages,
  sortPackages,
} from "./packages.ts";
export {
  type Ceiling,
  inForce,
  NO_REPOSITORY_CONFIG,
  REPOSITORY_FILE,
  type RepositoryConfig,
  type SetupCommand,
  type Widening,
  wideningOf,
} from "./repository-config.ts";
export { toSetupArgv } from "./setup-script.ts";
export { isSkillName, parseSkillChoice, type SkillChoice } from "./skill-choice.ts";
export {
  DEFAULT_WORKSPACE_SETTINGS,
  type LayeredSettings,
  layerSettings,
  type WorkspaceSettings,
} from "./workspace-settings.ts";
