import { laneConfigSchema, laneQuerySchema, laneSchema, setupLaneSchema } from "../protocol/index.ts";
import { resolveLane } from "./lane-ref.ts";
import { defineRoute, json, ok, type Route } from "./route.ts";
import { toApiLane } from "./to-api.ts";

const tag = "lanes";

/** What a lane is made with, and how its container is prepared. */
export const LANE_CONFIG_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/config",
    name: "configOfLane",
    summary: "The settings in force, and whether lane, workspace, repository or installation has said each",
    tag,
    query: laneQuerySchema,
    answers: [ok("The settings", laneConfigSchema)],
    handle: async ({ id, query, signal }, { ports }) => {
      const lane = resolveLane(ports, id, query.workspace);
      const { commit, values } = await ports.laneConfig.laneConfig(lane.id, { signal });
      return json({ lane: lane.id, commit, values: [...values] });
    },
  }),
  defineRoute({
    method: "POST",
    path: "/v1/lanes/{id}/setup",
    name: "setUpLane",
    summary: "Runs the lane's setup commands again, or goes on without them",
    tag,
    query: laneQuerySchema,
    body: setupLaneSchema,
    answers: [ok("The lane", laneSchema)],
    handle: ({ id, query, body }, { ports }) => {
      const lane = resolveLane(ports, id, query.workspace);
      return json(toApiLane(ports.laneConfig.setUp(lane.id, { skip: body.skip ?? false })));
    },
  }),
];
