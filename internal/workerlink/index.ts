export { openLink } from "./open-link.ts";
export { createReadyProber, type ProbeResult, type ProbeTarget, type ReadyProber } from "./probe.ts";
export type {
  EventBatch,
  LaneApiRequest,
  LaneApiResponse,
  LaneGit,
  LaneHoldings,
  LinkEnd,
  LinkHandlers,
  OpenLinkOptions,
  SubmoduleHoldings,
  WorkerLink,
} from "./worker-link.ts";
