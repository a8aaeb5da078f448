import type { Logger } from "pino";
import { systemClock } from "../../base/index.ts";
import { describeRepository, type HardenedGit } from "../../git/index.ts";
import type { Job } from "../../job/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { Core } from "../core.ts";
import { whyOpen } from "../inbox/open-items.ts";
import { watchEphemeral } from "./ephemeral-lanes.ts";
import { createLossesDesk, type LossesDesk } from "./lane-losses.ts";
import { removeLane } from "./remove-lane.ts";

/** People may give at most 100: above are the jobs that prepare a container. */
const PERSONS_PRIORITY_MAX = 100;
/** Jobs that nobody asked for are only a few between two of a person's. */
const JOBS_BACK = 20;
/** A running container is on record among so many entries. */
const HISTORY_BACK = 1000;
/** More entries than this between a look and the end of the lane are not looked through. */
const FEED_BACK = 1000;
/** What follows a job gets so long. */
const SETTLE_MS = 60_000;

/** The look at losses over the daemon's parts. */
export function openLosses(core: Core, git: HardenedGit): LossesDesk {
  const { supervisor, store, gitDesk, privateGit } = core;
  return createLossesDesk({
    git,
    gitDesk,
    privateGit,
    everRan: (laneId) => store.lanes.listHistory(laneId, { limit: HISTORY_BACK }).some(({ to }) => to === "ready"),
    runOf: (laneId) => {
      const { container, state } = supervisor.view(laneId);
      if (container === null || container.startedAtMs === null) return null;
      return { id: `${container.id} ${container.startedAtMs}`, stopped: state.phase === "stopped" };
    },
    looks: store.laneLooks,
    nowInFeed: () => {
      const from = store.feed.latest();
      return (laneId) => {
        const entries = store.feed.readAfter(from, FEED_BACK);
        return entries.length === FEED_BACK || entries.some(({ lane, job }) => lane === laneId && job !== null);
      };
    },
  });
}

/** The watch over ephemeral lanes over the daemon's parts. */
export function openEphemeral(core: Core, git: HardenedGit, losses: LossesDesk, log: Logger): AsyncDisposable {
  const { supervisor, store, dispatcher, gitDesk, pushes, inbox } = core;
  const newestJob = (lane: Lane): Job | null =>
    store.jobs.list({ laneId: lane.id, limit: JOBS_BACK }).find((job) => job.spec.priority <= PERSONS_PRIORITY_MAX) ??
    null;
  return watchEphemeral({
    lanes: () => supervisor.lanes(),
    factsOf: (lane) => ({
      job: newestJob(lane),
      busy: dispatcher.busy(lane.id) || dispatcher.queued(lane.id) > 0,
      open: whyOpen(inbox.list({ bucket: "open", laneId: lane.id, limit: 100 })) ?? whyNotPushed(core, lane),
    }),
    settle: async (lane, { signal }) => {
      await gitDesk.settle(lane, { waitMs: SETTLE_MS, signal });
      await pushes.settle(lane, { waitMs: SETTLE_MS, signal });
    },
    lossesOf: async (lane, opts) => {
      const workspace = store.workspaces.find(lane.workspaceId);
      if (!workspace) return ["what is not known: its workspace is gone"];
      return (await losses.of(lane, await describeRepository(git, workspace.path, opts), opts)).lost;
    },
    remove: (lane, opts) => removeLane({ core, git, losses }, lane.id, { ...opts, force: false, deleteBranch: false }),
    feed: store.feed,
    clock: systemClock,
    log,
  });
}

/** Its commits are on the host, but its settings ask for more. */
function whyNotPushed({ pushes }: Core, lane: Lane): string | null {
  if (lane.settings.onSuccess !== "push") return null;
  const push = pushes.noteOf(lane.id);
  return push?.ok === false ? `its branch could not be pushed (${push.message ?? "refused"})` : null;
}
