import type { InboxItem, Job, JobState } from "../job/index.ts";
import { DEFAULT_SETTINGS, type Lane, type LaneState, type Workspace } from "../lane/index.ts";
import type { ApiAgent, ApiAgentVersion, ApiCredential, ApiRemovedLane } from "../protocol/index.ts";
import type { LaneView } from "./lane-ports.ts";

/** Values that the tests of the host API are made with. */

/** Wall time all test values are made at. */
export const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export const WORKSPACES: readonly Workspace[] = [
  { id: "ws1", name: "shop", path: "/src/shop", createdAtMs: AT_MS },
  { id: "ws2", name: "blog", path: "/src/blog", createdAtMs: AT_MS },
];

export function makeLane(change: Partial<Lane> = {}): Lane {
  return {
    id: "demo-1111111111",
    name: "demo",
    workspaceId: "ws1",
    branch: "demo",
    worktree: "/src/shop.lanes/demo",
    desired: "up",
    settings: DEFAULT_SETTINGS,
    generation: 3,
    createdAtMs: AT_MS,
    ...change,
  };
}

export const READY: LaneState = {
  phase: "ready",
  generation: 3,
  containerId: "c".repeat(64),
  endpoint: "http://127.0.0.1:40000",
  workerPid: 77,
  atMs: AT_MS,
};

export function makeView(lane: Lane, state: LaneState = READY): LaneView {
  return {
    lane,
    state,
    container: null,
    drift: [],
    containerName: `lane-x-${lane.id}`,
    job: null,
    queued: 0,
    git: null,
    credentials: {},
  };
}

export function makeJob(change: Partial<Job> = {}, state?: JobState): Job {
  return {
    id: "01jobjobjobjobjobjobjobjob",
    laneId: "demo-1111111111",
    spec: {
      work: { kind: "command", argv: ["true"] },
      key: null,
      deadlineMs: null,
      priority: 0,
      retry: "never",
    },
    bodyHash: "h",
    state: state ?? { phase: "queued", attempt: 0, waiting: null },
    createdAtMs: AT_MS,
    startedAtMs: null,
    endedAtMs: null,
    ...change,
  };
}

export const AGENT_VERSION: ApiAgentVersion = {
  agent: "claude",
  version: "1.0.0",
  platform: "linux-x64-glibc",
  inUse: true,
  lanes: ["demo"],
  sha256: "a".repeat(64),
  bytes: 1000,
  installedAt: new Date(AT_MS).toISOString(),
};

export const AGENT: ApiAgent = {
  agent: "claude",
  title: "Claude Code",
  package: "@vendor/claude",
  inUse: "1.0.0",
  versions: [AGENT_VERSION],
  login: { state: "unknown", source: null },
};

export const CREDENTIAL: ApiCredential = {
  agent: "claude",
  title: "Claude Code",
  state: "usable",
  source: "/home/me/.claude/.credentials.json",
  expiresAt: new Date(AT_MS).toISOString(),
  account: "a1b2c3d4e5f6",
  reason: null,
  warning: null,
  lanes: ["demo"],
};

export const REMOVED: ApiRemovedLane = {
  id: "demo-1111111111",
  name: "demo",
  removed: true,
  lost: [],
  ignored: 0,
  worktreeKept: false,
  branch: "demo",
  branchDeleted: false,
};

export const DISK = { worktreeBytes: 1, volumeBytes: 2, containerBytes: null, partial: false };

/** An item that nobody has done anything about. */
export const ITEM: InboxItem = {
  id: "01itemitemitemitemitemitem",
  kind: "question",
  laneId: "demo-1111111111",
  jobId: null,
  attempt: null,
  title: "Which?",
  body: "",
  choices: [],
  fallback: null,
  urgency: "normal",
  state: { phase: "open" },
  delivered: false,
  isRead: false,
  createdAtMs: AT_MS,
  changedAtMs: AT_MS,
  expiresAtMs: null,
  subject: null,
  occurrence: null,
  data: {},
};
