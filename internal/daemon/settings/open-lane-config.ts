import type { Logger } from "pino";
import { systemClock } from "../../base/index.ts";
import type { Settings } from "../../config/index.ts";
import type { Dispatcher, WorkResolver } from "../../dispatch/index.ts";
import type { HardenedGit } from "../../git/index.ts";
import type { InboxItem } from "../../job/index.ts";
import type { Lane, LaneSettings, LaneState } from "../../lane/index.ts";
import type { Store } from "../../store/index.ts";
import { type ApprovalDesk, createApprovals } from "./approvals.ts";
import { createLaneSetup, type LaneSetup } from "./lane-setup.ts";
import { createRepositoryReader } from "./repository-config.ts";
import { createLaneConfigDesk, type LaneConfigDesk } from "./workspace-settings.ts";

/** What lanes are made with, and how their containers are prepared. */
export interface LaneMaking {
  readonly config: LaneConfigDesk;
  readonly setup: LaneSetup;
  /** Jobs of a lane wait until it is prepared. */
  readonly holdBack: (work: WorkResolver) => WorkResolver;
  /** A person has answered an item of the inbox. */
  readonly onAnswered: (item: InboxItem, choice: string) => void;
}

/** Builds it. The functions are called only once all is built. */
export function openLaneMaking(
  { settings, git, log }: { readonly settings: Settings; readonly git: HardenedGit; readonly log: Logger },
  deps: {
    readonly store: Store;
    readonly desk: ApprovalDesk;
    readonly dispatcher: () => Dispatcher;
    readonly lanes: () => readonly Lane[];
    readonly findLane: (laneId: string) => Lane | null;
    readonly isReady: (laneId: string) => boolean;
    /** What the lane is made with may be something else now: a failed one gets another chance. */
    readonly renew: (laneId: string) => void;
  },
): LaneMaking {
  const { store } = deps;
  const approvals = createApprovals({
    records: store.laneConfig,
    desk: deps.desk,
    findItem: store.items.findBySubject,
    nowMs: systemClock.nowMs,
  });
  const config = createLaneConfigDesk({
    reader: createRepositoryReader(git),
    records: store.laneConfig,
    approvals,
    settings,
    findWorkspace: store.workspaces.find,
    lanes: deps.lanes,
    wake: deps.renew,
  });
  const setup = createLaneSetup({
    records: store.laneConfig,
    dispatcher: deps.dispatcher,
    findJob: store.jobs.find,
    findKey: store.jobs.findByKey,
    findLane: deps.findLane,
    isReady: deps.isReady,
    commandsOf: config.current,
    nowMs: systemClock.nowMs,
    log: log.child({ component: "setup" }),
  });
  return {
    config,
    setup: {
      ...setup,
      forget: (laneId) => {
        setup.forget(laneId);
        if (deps.findLane(laneId) === null) config.forget(laneId);
      },
    },
    holdBack: (work) => ({ ...work, holdOf: (job) => setup.holdOf(job) ?? work.holdOf(job) }),
    onAnswered: (item, choice) => {
      const workspace = approvals.onAnswered(item, choice);
      if (workspace !== null) config.changed(workspace);
    },
  };
}

/** Has a lane looked at; one that failed gets another chance, since what it failed by may be another now. */
export function renewLane(
  supervisor: {
    view(laneId: string): { readonly lane: Lane; readonly state: LaneState };
    patch(laneId: string, settings: LaneSettings): unknown;
    wake(laneId: string): void;
  },
  laneId: string,
): void {
  const { lane, state } = supervisor.view(laneId);
  if (state.phase === "failed" && lane.desired !== "gone") supervisor.patch(laneId, lane.settings);
  else supervisor.wake(laneId);
}
