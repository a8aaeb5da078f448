import { parseLaneName } from "../lane/index.ts";
import {
  type AddLane,
  addLaneSchema,
  laneDiskSchema,
  laneQuerySchema,
  laneSchema,
  lanesQuerySchema,
  patchLaneSchema,
  planSchema,
  prunableLaneSchema,
  prunedImagesSchema,
  recreateQuerySchema,
  removedLaneSchema,
  removeLaneQuerySchema,
  WAIT_DEFAULT_MS,
  waitQuerySchema,
} from "../protocol/index.ts";
import type { LaneService, LaneView, NewLane } from "./lane-ports.ts";
import { resolveLane, resolveOnlyWorkspace } from "./lane-ref.ts";
import type { WaitOptions } from "./port-terms.ts";
import type { HostApiPorts } from "./ports.ts";
import { defineRoute, json, ok, type Reply, type Route } from "./route.ts";
import { toApiLane } from "./to-api.ts";

const tag = "lanes";
const lane = ok("The lane", laneSchema);

/** Lanes: making, looking, changing, removing, and their life cycle. */
export const LANE_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/lanes",
    name: "listLanes",
    summary: "All lanes",
    tag,
    query: lanesQuerySchema,
    answers: [ok("The lanes", laneSchema.array())],
    handle: async ({ query, signal }, { ports: { lanes } }) =>
      json((await (query.git ? lanes.listWithGit({ signal }) : lanes.list({ signal }))).map(toApiLane)),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/lanes",
    name: "addLane",
    summary: "Makes a lane: branch, worktree and record; `ensure` brings it up",
    tag,
    body: addLaneSchema,
    answers: [
      { status: 201, description: "The lane", schema: laneSchema },
      ok("With `dryRun`: what would be done", planSchema),
    ],
    handle: async ({ body, signal }, { ports }) => {
      const wanted = toNewLane(ports, body);
      if (body.dryRun) return json(await ports.lanes.planAdd(wanted, { signal }));
      return json(toApiLane(await ports.lanes.add(wanted, { signal })), 201);
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}",
    name: "showLane",
    summary: "One lane, by id, name or the unique beginning of either",
    tag,
    query: laneQuerySchema,
    answers: [lane],
    handle: async ({ id, query, signal }, { ports }) =>
      laneReply(await ports.lanes.get(resolveLane(ports, id, query.workspace).id, { signal })),
  }),
  defineRoute({
    method: "PATCH",
    path: "/v1/lanes/{id}",
    name: "patchLane",
    summary: "Changes settings; what is left out stays",
    tag,
    query: laneQuerySchema,
    body: patchLaneSchema,
    answers: [lane],
    handle: async ({ id, query, body, signal }, { ports }) =>
      laneReply(await ports.lanes.patch(resolveLane(ports, id, query.workspace).id, body.settings, { signal })),
  }),
  defineRoute({
    method: "DELETE",
    path: "/v1/lanes/{id}",
    name: "removeLane",
    summary: "Removes container, network, volume, worktree and record; the branch stays unless `deleteBranch` says so",
    tag,
    query: removeLaneQuerySchema,
    answers: [ok("What has gone", removedLaneSchema)],
    handle: async ({ id, query, signal }, { ports }) => {
      const opts = { force: query.force ?? false, deleteBranch: query.deleteBranch ?? false, signal };
      return json(await ports.lanes.remove(resolveLane(ports, id, query.workspace).id, opts));
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/disk",
    name: "diskOfLane",
    summary: "What a lane takes on the disk",
    tag,
    query: laneQuerySchema,
    answers: [ok("Sizes", laneDiskSchema)],
    handle: async ({ id, query, signal }, { ports }) =>
      json(await ports.lanes.diskOf(resolveLane(ports, id, query.workspace).id, { signal })),
  }),
  defineRoute({
    method: "GET",
    path: "/v1/prunable",
    name: "listPrunable",
    summary: "Lanes whose work is in their base, and why some of them are to stay all the same; removes nothing",
    tag,
    answers: [ok("The lanes", prunableLaneSchema.array())],
    handle: async ({ signal }, { ports }) => json(await ports.lanes.prunable({ signal })),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/images/prune",
    name: "pruneImages",
    summary: "Removes images with packages that no lane wants any more; those of lanes' containers stay",
    tag,
    answers: [ok("What has gone", prunedImagesSchema)],
    handle: async ({ signal }, { ports }) => json({ removed: [...(await ports.lanes.pruneImages({ signal }))] }),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/lanes/{id}/sync",
    name: "syncLane",
    summary: "Brings the lane's branch to the same commits in the lane and on the host",
    tag,
    query: laneQuerySchema,
    answers: [lane],
    handle: async ({ id, query, signal }, { ports }) =>
      laneReply(await ports.lanes.sync(resolveLane(ports, id, query.workspace).id, { signal })),
  }),
  act("ensure", "Brings the lane up if it is not, and waits until it is ready or failed"),
  act("start", "As `ensure`, and tries a failed lane again"),
  act("stop", "Stops the lane and keeps its container; answers when its death is proven"),
  replace("restart", "Ends the container and starts it again"),
  replace("recreate", "Replaces the container by a new one"),
];

function act(verb: "ensure" | "start" | "stop", summary: string): Route {
  return defineRoute({
    method: "POST",
    path: `/v1/lanes/{id}/${verb}`,
    name: `${verb}Lane`,
    summary: `${summary}. \`wait\`: at most so many ms, then the answer is the state of then`,
    tag,
    query: waitQuerySchema,
    answers: [lane],
    handle: (call, { ports }) => onLane(ports, call, (lanes, id, opts) => lanes[verb](id, opts)),
  });
}

function replace(verb: "restart" | "recreate", summary: string): Route {
  return defineRoute({
    method: "POST",
    path: `/v1/lanes/{id}/${verb}`,
    name: `${verb}Lane`,
    summary: `${summary}, once the running job has ended; with \`now\` at once`,
    tag,
    query: recreateQuerySchema,
    answers: [lane],
    handle: (call, { ports }) =>
      onLane(ports, call, (lanes, id, opts) => lanes[verb](id, { ...opts, now: call.query.now ?? false })),
  });
}

interface WaitingCall {
  readonly id: string;
  readonly signal: AbortSignal;
  readonly query: { readonly workspace?: string | undefined; readonly wait?: number | undefined };
}

async function onLane(
  ports: HostApiPorts,
  call: WaitingCall,
  run: (lanes: LaneService, id: string, opts: WaitOptions) => Promise<LaneView>,
): Promise<Reply> {
  const { id } = resolveLane(ports, call.id, call.query.workspace);
  return laneReply(await run(ports.lanes, id, { waitMs: call.query.wait ?? WAIT_DEFAULT_MS, signal: call.signal }));
}

function laneReply(view: LaneView): Reply {
  return json(toApiLane(view));
}

function toNewLane(ports: HostApiPorts, body: AddLane): NewLane {
  return {
    workspaceId: resolveOnlyWorkspace(ports, body.workspace).id,
    name: parseLaneName(body.name),
    from: body.from,
    branch: body.branch,
    settings: body.settings ?? {},
  };
}
