import { isAbsolute } from "node:path";
import { AppError, closestTo } from "../base/index.ts";
import { type Lane, type Workspace, workspaceAt } from "../lane/index.ts";
import type { HostApiPorts } from "./ports.ts";

/**
 * The lane a caller named: by id, by exact name, or by the unique beginning of a name or id. Where the name alone does
 * not decide, the preferred workspace does: its id, its name, or a folder in it.
 * @throws lane.not_found (with what was probably meant), lane.ambiguous (with the candidates), workspace.not_found
 */
export function resolveLane(ports: HostApiPorts, ref: string, preferred: string | undefined): Lane {
  const known = ports.lanes.findLane(ref);
  if (known !== null) return known;
  const lanes = ports.lanes.lanes();
  const workspace = preferred === undefined ? null : preferredWorkspace(ports, preferred);
  const named = narrow(
    lanes.filter((lane) => lane.name === ref),
    workspace,
  );
  const meant =
    named.length > 0
      ? named
      : narrow(
          lanes.filter((lane) => ref !== "" && hasPrefix(lane, ref)),
          workspace,
        );
  const [first, ...others] = meant;
  if (first !== undefined && others.length === 0) return first;
  if (first === undefined) throw notFound(ref, lanes);
  throw ambiguous(ports, ref, meant);
}

/** The workspace a caller named, by id or name. @throws workspace.not_found */
export function resolveWorkspace(ports: HostApiPorts, ref: string): Workspace {
  const all = ports.workspaces.list();
  const found = all.find((one) => one.id === ref) ?? all.find((one) => one.name === ref);
  if (found !== undefined) return found;
  throw new AppError({
    code: "workspace.not_found",
    message: `there is no workspace ${JSON.stringify(ref.slice(0, 80))}`,
    hint: hintFrom(
      ref,
      all.map((one) => one.name),
      "see lane workspace ls",
    ),
  });
}

/** A folder outside all workspaces prefers none. @throws workspace.not_found */
function preferredWorkspace(ports: HostApiPorts, ref: string): Workspace | null {
  return isAbsolute(ref) ? workspaceAt(ports.workspaces.list(), ref) : resolveWorkspace(ports, ref);
}

/**
 * The workspace a new lane belongs to: the one named, the one that a folder is in, else the only one.
 * @throws workspace.not_found, request.invalid
 */
export function resolveOnlyWorkspace(ports: HostApiPorts, ref: string | undefined): Workspace {
  const preferred = ref === undefined ? null : preferredWorkspace(ports, ref);
  if (preferred !== null) return preferred;
  const all = ports.workspaces.list();
  const [first, ...others] = all;
  if (first === undefined) {
    throw new AppError({
      code: "workspace.not_found",
      message: "there is no workspace yet",
      hint: "add one: lane workspace add PATH",
    });
  }
  if (others.length === 0) return first;
  throw new AppError({
    code: "request.invalid",
    message: `there are ${all.length} workspaces, and none is named: ${all.map((one) => one.name).join(", ")}`,
    hint: "name one with --workspace, or work inside its folder",
  });
}

function hasPrefix(lane: Lane, ref: string): boolean {
  return lane.name.startsWith(ref) || lane.id.startsWith(ref);
}

/** Those of the preferred workspace, if any is. */
function narrow(lanes: readonly Lane[], workspace: Workspace | null): readonly Lane[] {
  if (workspace === null || lanes.length < 2) return lanes;
  const preferred = lanes.filter((lane) => lane.workspaceId === workspace.id);
  return preferred.length > 0 ? preferred : lanes;
}

function notFound(ref: string, lanes: readonly Lane[]): AppError {
  return new AppError({
    code: "lane.not_found",
    message: `there is no lane ${JSON.stringify(ref.slice(0, 80))}`,
    hint: hintFrom(
      ref,
      lanes.map((lane) => lane.name),
      "see lane ls",
    ),
  });
}

function ambiguous(ports: HostApiPorts, ref: string, meant: readonly Lane[]): AppError {
  const workspaces = new Map(ports.workspaces.list().map((one) => [one.id, one.name]));
  const candidates = meant.map((lane) => ({
    id: lane.id,
    name: lane.name,
    workspace: workspaces.get(lane.workspaceId) ?? lane.workspaceId,
  }));
  const shown = candidates.slice(0, 10).map((one) => `${one.workspace}/${one.name} (${one.id})`);
  const sameName = new Set(candidates.map((one) => one.name)).size === 1;
  return new AppError({
    code: "lane.ambiguous",
    message: `${JSON.stringify(ref)} may be ${shown.join(", ")}${candidates.length > 10 ? ", and more" : ""}`,
    hint: sameName ? "name the workspace too, or use the lane's id" : "write more of the name",
    details: { candidates },
  });
}

function hintFrom(ref: string, names: readonly string[], otherwise: string): string {
  const close = closestTo(ref, names);
  return close.length === 0 ? otherwise : `did you mean ${close.join(", ")}?`;
}
