import {
  driftSchema,
  execPlanSchema,
  execRequestSchema,
  historyEntrySchema,
  historyQuerySchema,
  laneLogsSchema,
  laneQuerySchema,
  logsQuerySchema,
  planQuerySchema,
  planSchema,
} from "../protocol/index.ts";
import { resolveLane } from "./lane-ref.ts";
import { defineRoute, json, ok, type Route } from "./route.ts";
import { toApiHistoryEntry } from "./to-api.ts";

const tag = "lanes";
const HISTORY_DEFAULT = 100;
const LINES_DEFAULT = 200;

/** What there is to know of a lane beside its state. */
export const LANE_VIEW_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/plan",
    name: "planLane",
    summary: "What would be done for an intent (default `ensure`), and why; changes nothing",
    tag,
    query: planQuerySchema,
    answers: [ok("The plan", planSchema)],
    handle: async ({ id, query, signal }, { ports }) => {
      const lane = resolveLane(ports, id, query.workspace);
      return json(await ports.lanes.plan(lane.id, query.intent ?? "ensure", { signal }));
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/drift",
    name: "driftOfLane",
    summary: "Differences between the lane as wanted and as it runs, field by field",
    tag,
    query: laneQuerySchema,
    answers: [ok("The drift", driftSchema)],
    handle: async ({ id, query, signal }, { ports }) =>
      json(await ports.lanes.drift(resolveLane(ports, id, query.workspace).id, { signal })),
  }),
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/history",
    name: "historyOfLane",
    summary: "Changes of state and acts, newest last",
    tag,
    query: historyQuerySchema,
    answers: [ok("The last entries", historyEntrySchema.array())],
    handle: async ({ id, query, signal }, { ports }) => {
      const lane = resolveLane(ports, id, query.workspace);
      const entries = await ports.lanes.history(lane.id, { limit: query.limit ?? HISTORY_DEFAULT, signal });
      return json(entries.map(toApiHistoryEntry));
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/logs",
    name: "logsOfLane",
    summary: "The last lines of the container's own output (not of its jobs)",
    tag,
    query: logsQuerySchema,
    answers: [ok("The lines", laneLogsSchema)],
    handle: async ({ id, query, signal }, { ports }) => {
      const lane = resolveLane(ports, id, query.workspace);
      const logs = await ports.lanes.containerLogs(lane.id, { lines: query.lines ?? LINES_DEFAULT, signal });
      return json({ lane: lane.id, container: logs.container, lines: logs.lines });
    },
  }),
  defineRoute({
    method: "POST",
    path: "/v1/lanes/{id}/exec-plan",
    name: "planExec",
    keyed: "never",
    summary: "How the engine's own CLI runs a command in the lane's container; runs nothing",
    tag,
    query: laneQuerySchema,
    body: execRequestSchema,
    answers: [ok("Arguments and environment", execPlanSchema)],
    handle: async ({ id, query, body, signal }, { ports }) =>
      json(await ports.lanes.execPlan(resolveLane(ports, id, query.workspace).id, body, { signal })),
  }),
];
