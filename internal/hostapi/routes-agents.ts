import {
  agentSchema,
  agentVersionSchema,
  installAgentSchema,
  removeAgentQuerySchema,
  useAgentSchema,
} from "../protocol/index.ts";
import { defineRoute, json, ok, type Route } from "./route.ts";

const tag = "agents";

/** Agents: what is installed, and what lanes get. */
export const AGENT_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/agents",
    name: "listAgents",
    summary: "All agents that are known, with their installed versions and the state of their logins",
    tag,
    answers: [ok("The agents", agentSchema.array())],
    handle: (_, { ports }) => json(ports.agents.list()),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/agents",
    name: "installAgent",
    summary:
      "Installs a version of an agent from npm and answers when it is there, which can take minutes; the first one is " +
      "used at once. A client that goes away ends it, and nothing of it is left",
    tag,
    body: installAgentSchema,
    answers: [
      { status: 201, description: "The version", schema: agentVersionSchema },
      ok("It was installed already", agentVersionSchema),
    ],
    handle: async ({ body, signal }, { ports }) => {
      const { version, isNew } = await ports.agents.install(body, { signal });
      return json(version, isNew ? 201 : 200);
    },
  }),
  defineRoute({
    method: "PATCH",
    path: "/v1/agents/{id}",
    name: "useAgent",
    summary: "Sets the installed version that lanes get; lanes with another one drift",
    tag,
    body: useAgentSchema,
    answers: [ok("The agent", agentSchema)],
    handle: async ({ id, body }, { ports }) => json(await ports.agents.use(id, body.version)),
  }),
  defineRoute({
    method: "DELETE",
    path: "/v1/agents/{id}",
    name: "removeAgent",
    summary: "Removes an installed version that is neither in use nor in any lane's container",
    tag,
    query: removeAgentQuerySchema,
    answers: [{ status: 204, description: "Removed" }],
    handle: async ({ id, query }, { ports }) => {
      await ports.agents.remove(id, query.version);
      return { kind: "empty" };
    },
  }),
];
