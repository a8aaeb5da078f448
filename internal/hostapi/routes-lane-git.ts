import {
  diffQuerySchema,
  laneDiffSchema,
  laneMergeSchema,
  laneQuerySchema,
  mergeLaneSchema,
} from "../protocol/index.ts";
import { resolveLane } from "./lane-ref.ts";
import { defineRoute, json, ok, type Route } from "./route.ts";

const tag = "lanes";

/** What a lane has changed, and its way into a branch. */
export const LANE_GIT_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/diff",
    name: "diffLane",
    summary: "What the lane has changed since it left its base, uncommitted and untracked files included",
    tag,
    query: diffQuerySchema,
    answers: [ok("The changes", laneDiffSchema)],
    handle: async ({ id, query, signal }, { ports }) => {
      const { workspace, stat = false, binary = false, path, base } = query;
      const lane = resolveLane(ports, id, workspace);
      return json(await ports.git.diff(lane.id, { stat, binary, path, base }, { signal }));
    },
  }),
  defineRoute({
    method: "POST",
    path: "/v1/lanes/{id}/merge",
    name: "mergeLane",
    summary:
      "Merges the lane's commits into a branch: all of it or nothing. Refused on conflict, and for files that programs " +
      "of the host would run unless `allowFlagged` is given; both are named",
    tag,
    query: laneQuerySchema,
    body: mergeLaneSchema,
    answers: [ok("What was merged, or would be", laneMergeSchema)],
    handle: async ({ id, query, body, signal }, { ports }) =>
      json(await ports.git.merge(resolveLane(ports, id, query.workspace).id, body, { signal })),
  }),
];
