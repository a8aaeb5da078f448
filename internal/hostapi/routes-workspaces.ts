import { addWorkspaceSchema, workspaceSchema } from "../protocol/index.ts";
import { resolveWorkspace } from "./lane-ref.ts";
import type { HostApiPorts } from "./ports.ts";
import { defineRoute, json, ok, type Route } from "./route.ts";
import { toApiWorkspace } from "./to-api.ts";

const tag = "workspaces";

/** Repositories. */
export const WORKSPACE_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/workspaces",
    name: "listWorkspaces",
    summary: "All registered repositories",
    tag,
    answers: [ok("The workspaces", workspaceSchema.array())],
    handle: (_, { ports }) => json(ports.workspaces.list().map((one) => toApiWorkspace(one, lanesOf(ports, one.id)))),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/workspaces",
    name: "addWorkspace",
    summary: "Registers a repository by its path",
    tag,
    body: addWorkspaceSchema,
    answers: [{ status: 201, description: "The workspace", schema: workspaceSchema }],
    handle: async ({ body, signal }, { ports }) =>
      json(toApiWorkspace(await ports.workspaces.add(body, { signal }), 0), 201),
  }),
  defineRoute({
    method: "DELETE",
    path: "/v1/workspaces/{id}",
    name: "removeWorkspace",
    summary: "Forgets a repository that has no lanes; touches none of its files",
    tag,
    answers: [{ status: 204, description: "Forgotten" }],
    handle: async ({ id, signal }, { ports }) => {
      await ports.workspaces.remove(resolveWorkspace(ports, id).id, { signal });
      return { kind: "empty" };
    },
  }),
];

function lanesOf(ports: HostApiPorts, workspaceId: string): number {
  return ports.lanes.lanes().filter((lane) => lane.workspaceId === workspaceId).length;
}
