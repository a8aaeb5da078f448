import type { RepositoryConfig, Workspace } from "../lane/index.ts";
import {
  addWorkspaceSchema,
  approveSchema,
  cloneProgressSchema,
  patchWorkspaceSchema,
  repositoryQuerySchema,
  repositorySchema,
  workspaceSchema,
} from "../protocol/index.ts";
import { resolveWorkspace } from "./lane-ref.ts";
import type { CallOptions } from "./port-terms.ts";
import type { HostApiPorts } from "./ports.ts";
import { defineRoute, json, ok, type Reply, type Route } from "./route.ts";
import { toApiAsked, toApiWorkspace } from "./to-api.ts";

const tag = "workspaces";
const repository = ok("The file", repositorySchema);

/** Repositories, and what their lanes are made with. */
export const WORKSPACE_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/workspaces",
    name: "listWorkspaces",
    summary: "All registered repositories",
    tag,
    answers: [ok("The workspaces", workspaceSchema.array())],
    handle: (_, { ports }) => json(ports.workspaces.list().map((one) => toShown(ports, one))),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/workspaces",
    name: "addWorkspace",
    summary: "Registers a repository by its path, or clones the one at an address first",
    tag,
    body: addWorkspaceSchema,
    answers: [{ status: 201, description: "The workspace", schema: workspaceSchema }],
    handle: async ({ body: { path, url, name }, signal }, { ports }) => {
      const wanted = url === undefined ? { path: path ?? "", name } : { url, name };
      return json(toShown(ports, await ports.workspaces.add(wanted, { signal })), 201);
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/clones",
    name: "listClones",
    summary: "How far the repositories are that are being cloned",
    tag,
    answers: [ok("The clones under way", cloneProgressSchema.array())],
    handle: (_, { ports }) => json(ports.workspaces.clones()),
  }),
  defineRoute({
    method: "PATCH",
    path: "/v1/workspaces/{id}",
    name: "patchWorkspace",
    summary: "Changes what its lanes have unless they say otherwise; what is left out stays",
    tag,
    body: patchWorkspaceSchema,
    answers: [ok("The workspace", workspaceSchema)],
    handle: async ({ id, body }, { ports }) => {
      const workspace = resolveWorkspace(ports, id);
      await ports.laneConfig.patchWorkspace(workspace.id, body.settings);
      return json(toShown(ports, workspace));
    },
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
  defineRoute({
    method: "GET",
    path: "/v1/workspaces/{id}/repository",
    name: "showRepository",
    summary: "The repository's own file, as its base's commit has it, and what it asks a person for",
    tag,
    query: repositoryQuerySchema,
    answers: [repository],
    handle: ({ id, query, signal }, { ports }) =>
      showRepository(ports, resolveWorkspace(ports, id), query.base ?? null, { signal }),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/workspaces/{id}/approve",
    name: "approveRepository",
    summary: "Says yes or no to exactly this content of the repository's own file",
    tag,
    body: approveSchema,
    answers: [repository],
    handle: async ({ id, body, signal }, { ports }) => {
      const workspace = resolveWorkspace(ports, id);
      const base = body.base ?? null;
      await ports.laneConfig.decide(workspace.id, { base, sha256: body.sha256, word: body.word }, { signal });
      return showRepository(ports, workspace, base, { signal });
    },
  }),
];

function toShown(ports: HostApiPorts, workspace: Workspace) {
  const lanes = ports.lanes.lanes().filter((lane) => lane.workspaceId === workspace.id).length;
  return toApiWorkspace(workspace, lanes, ports.laneConfig.settingsOf(workspace.id));
}

async function showRepository(
  ports: HostApiPorts,
  workspace: Workspace,
  base: string | null,
  opts: CallOptions,
): Promise<Reply> {
  const { config, asked, ...rest } = await ports.laneConfig.repository(workspace.id, base, opts);
  return json({ workspace: workspace.id, ...rest, config: toKeys(config), asked: toApiAsked(asked) });
}

/** In the words of the file: only what it says. */
function toKeys(config: RepositoryConfig): Record<string, unknown> {
  const { memoryBytes, cpus, pids, ports, env, ...rest } = config;
  const said = {
    ...rest,
    "limits.memory": memoryBytes,
    "limits.cpus": cpus,
    "limits.pids": pids,
    ports: ports.length === 0 ? null : ports,
    env: Object.keys(env).length === 0 ? null : env,
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== null));
}
