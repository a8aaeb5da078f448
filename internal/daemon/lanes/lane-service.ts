import type { HardenedGit } from "../../git/index.ts";
import { type LaneService, toApiPlan } from "../../hostapi/index.ts";
import type { Core } from "../core.ts";
import { gitStateOf, listWithGit } from "../git/lane-git-state.ts";
import { createLaneMaker, mergeSettings } from "./add-lane.ts";
import { execPlanOf } from "./exec-plan.ts";
import { diskOfLane } from "./lane-disk.ts";
import type { LossesDesk } from "./lane-losses.ts";
import { toView } from "./lane-views.ts";
import { listPrunable } from "./prune-lanes.ts";
import { planOfRemoval, removeLane } from "./remove-lane.ts";

/** A stop does not wait longer for the lane's last commits. */
const STOP_SYNC_MS = 10_000;

/** Lanes as the host API needs them: the supervisor's, with their worktrees. */
export function createLaneService(core: Core, git: HardenedGit, losses: LossesDesk): LaneService {
  const { supervisor, store, dispatcher, gitDesk } = core;
  const deps = { core, git, losses };
  const maker = createLaneMaker(core, git);
  const view = (id: string) => toView(core, supervisor.view(id), null);
  return {
    lanes: () => supervisor.lanes(),
    findLane: (id) => supervisor.findLane(id),
    list: () => supervisor.list().map((seen) => toView(core, seen, null)),
    get: async (id, opts) => {
      const seen = supervisor.view(id);
      return toView(core, seen, await gitStateOf(core, git, seen.lane, opts));
    },
    listWithGit: (opts) => listWithGit(core, git, opts),
    prunable: (opts) => listPrunable(deps, opts),
    pruneImages: async (opts) => core.packages.prune(supervisor.connection(), opts),
    diskOf: (id, opts) => diskOfLane(core, id, opts),
    add: maker.add,
    planAdd: maker.plan,
    remove: (id, opts) => removeLane(deps, id, opts),
    patch: (id, change) => {
      const { settings } = supervisor.view(id).lane;
      supervisor.patch(id, mergeSettings(settings, change));
      return view(id);
    },
    ensure: async (id, opts) => toView(core, await supervisor.ensure(id, opts), null),
    start: async (id, opts) => toView(core, await supervisor.startLane(id, opts), null),
    stop: async (id, opts) => {
      // A stopped lane cannot be asked for its commits. What is held or broken there must not keep it from stopping.
      const { lane } = supervisor.view(id);
      const within = AbortSignal.any([AbortSignal.timeout(STOP_SYNC_MS), ...(opts.signal ? [opts.signal] : [])]);
      // A job may still run, and leave more than is seen now.
      const isIdle = gitDesk.linked(lane) && !dispatcher.busy(id);
      const keepLook = isIdle ? await losses.lookBeforeStop(lane, { signal: within }) : () => {};
      if (!isIdle) await gitDesk.sync(lane, { signal: within }).catch(() => null);
      const stopped = await supervisor.stop(id, opts);
      keepLook();
      return toView(core, stopped, null);
    },
    sync: async (id, opts) => {
      const { lane } = supervisor.view(id);
      await gitDesk.sync(lane, opts);
      return toView(core, supervisor.view(id), await gitStateOf(core, git, lane, opts));
    },
    restart: async (id, opts) => toView(core, await supervisor.recreate(id, { ...opts, kind: "restart" }), null),
    recreate: async (id, opts) => toView(core, await supervisor.recreate(id, { ...opts, kind: "recreate" }), null),
    plan: async (id, intent, opts) => {
      const plan = toApiPlan(id, await supervisor.plan(id, intent, opts));
      if (intent !== "remove") return plan;
      return { ...plan, steps: [...plan.steps, ...(await planOfRemoval(deps, id, opts))] };
    },
    drift: (id) => {
      const { lane, drift } = supervisor.view(id);
      const policy = lane.settings.drift;
      const action =
        drift.length === 0
          ? "none"
          : policy === "hold"
            ? "held"
            : dispatcher.busy(id) && policy === "when-idle"
              ? "waiting-for-idle"
              : "recreating";
      return { lane: id, policy, action, fields: drift.map(({ part, field, was, is }) => ({ part, field, was, is })) };
    },
    history: (id, { limit }) => store.lanes.listHistory(id, { limit }),
    execPlan: (id, request) => {
      const seen = supervisor.view(id);
      const record = store.lanes.findGeneration(id, seen.lane.generation);
      return execPlanOf(supervisor.connection(), seen, record?.spec ?? null, request);
    },
    containerLogs: async (id, { lines, signal }) => {
      const { container } = supervisor.view(id);
      if (!container) return { container: null, lines: [] };
      return {
        container: container.id,
        lines: await supervisor.connection().runtime.containerLogs(container.id, { lines, signal }),
      };
    },
  };
}
