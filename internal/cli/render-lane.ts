import type { ApiDrift, ApiHistoryEntry, ApiLane, ApiPlan, ApiWorkspace } from "../protocol/index.ts";
import type { RenderOptions, Style } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";
import { plural, renderAge, toPlain } from "./text.ts";

/** The colour of a lane's or a job's state. */
export function paintState(state: string, style: Style): (text: string) => string {
  if (state === "ready" || state === "succeeded" || state === "running") return style.green;
  if (state === "failed" || state === "lost" || state === "unknown") return style.red;
  return state === "stopped" || state === "absent" || state === "cancelled" ? style.dim : style.yellow;
}

/** `lane ls`. */
export function renderLanes(
  lanes: readonly ApiLane[],
  workspaces: readonly ApiWorkspace[],
  opts: RenderOptions,
): readonly string[] {
  const workspaceOf = (lane: ApiLane) => workspaces.find(({ id }) => id === lane.workspace)?.name ?? lane.workspace;
  return renderTable<ApiLane>(
    [
      { header: "lane", value: (lane) => lane.name, shrink: true, paint: opts.style.bold },
      { header: "workspace", value: workspaceOf, shrink: true },
      { header: "branch", value: (lane) => lane.branch, shrink: true },
      { header: "state", value: (lane) => lane.state, paint: (cell, lane) => paintState(lane.state, opts.style)(cell) },
      { header: "since", value: (lane) => renderAge(lane.since, opts.nowMs) },
      { header: "jobs", value: renderWork },
      { header: "drift", value: (lane) => (lane.drift.length === 0 ? "-" : String(lane.drift.length)) },
      { header: "git", value: (lane) => (lane.git === null ? "-" : renderGit(lane.git)), shrink: true },
    ],
    lanes,
    opts.width,
  );
}

function renderWork(lane: ApiLane): string {
  const words = [lane.job === null ? null : "1 running", lane.queued === 0 ? null : `${lane.queued} queued`];
  return words.filter((word) => word !== null).join(", ");
}

function renderGit({ ahead, behind, dirty, unimported, diverged }: NonNullable<ApiLane["git"]>): string {
  const parts = [
    ahead === 0 ? null : `+${ahead}`,
    behind === 0 ? null : `-${behind}`,
    dirty === 0 ? null : `${dirty} dirty`,
    unimported === 0 ? null : `${unimported} unimported`,
    diverged ? "diverged" : null,
  ].filter((part) => part !== null);
  return parts.length === 0 ? "clean" : parts.join(" ");
}

/** Both tips, and where the lane's is on the host. */
function renderTips({ lane, host }: NonNullable<NonNullable<ApiLane["git"]>["diverged"]>): string {
  const tip = (oid: string | null) => oid?.slice(0, 12) ?? "no branch";
  return `lane ${tip(lane)}, host ${tip(host)}; merge one into the other, then: lane sync`;
}

function renderPush(push: NonNullable<NonNullable<ApiLane["git"]>["push"]>, nowMs: number): string {
  const { at, ok, remote, tip, message } = push;
  const when = renderAge(at, nowMs);
  if (ok) return toPlain(`${tip?.slice(0, 12)} to ${remote}, ${when}`);
  return toPlain(`failed ${when}: ${message}; tried again after the next job`);
}

/** `lane sync`. */
export function renderSynced(lane: ApiLane): readonly string[] {
  if (lane.git?.diverged) return [`lane ${lane.name} and the host have gone apart: ${renderTips(lane.git.diverged)}`];
  if (lane.git?.held) return [`lane ${lane.name} waits: ${toPlain(lane.git.held)}`];
  return [`lane ${lane.name} and the host have the same commits`];
}

/** `lane show`. */
export function renderLane(lane: ApiLane, opts: RenderOptions): readonly string[] {
  const { style, nowMs } = opts;
  const paint = paintState(lane.state, style);
  const started = lane.startedAt === null ? "" : `, started ${renderAge(lane.startedAt, nowMs)}`;
  const facts = renderFacts([
    ["lane", `${style.bold(lane.name)} (${lane.id})`],
    [
      "state",
      `${paint(lane.state)}, since ${renderAge(lane.since, nowMs)}${lane.desired === "up" ? "" : `, wanted: ${lane.desired}`}`,
    ],
    ["reason", lane.cause === null ? null : `${toPlain(lane.cause.message)} (${lane.cause.code})`],
    ["next", lane.cause?.hint === undefined ? null : toPlain(lane.cause.hint)],
    ["next try", lane.until === null ? null : renderAge(lane.until, nowMs)],
    ["workspace", lane.workspace],
    ["branch", lane.branch],
    ["worktree", lane.worktree],
    ["git", lane.git === null ? null : renderGit(lane.git)],
    ["diverged", lane.git?.diverged ? renderTips(lane.git.diverged) : null],
    ["git waits", lane.git?.held ? toPlain(lane.git.held) : null],
    ["pushed", lane.git?.push ? renderPush(lane.git.push, nowMs) : null],
    ["container", lane.container === null ? null : `${lane.containerName} ${lane.container.slice(0, 12)}`],
    ["generation", `${lane.generation}${started}`],
    ["endpoint", lane.endpoint],
    ["fingerprint", lane.fingerprint?.slice(0, 12) ?? null],
    ["agent", lane.agent],
    ["ports", renderPorts(lane)],
    ["setup", renderSetup(lane)],
    ["repository", renderOrigin(lane)],
    ["settings", renderSettings({ ...lane.settings, agent: null })],
    ["jobs", renderWork(lane) || "none"],
    ["created", renderAge(lane.createdAt, nowMs)],
  ]);
  const credentials = Object.entries(lane.credentials).map(
    ([agent, { state, source, reason }]) =>
      `  ${agent}  ${state}${source === null ? "" : ` from ${source}`}${reason === undefined ? "" : `: ${toPlain(reason)}`}`,
  );
  return [
    ...facts,
    ...(lane.drift.length === 0 ? [] : ["", "drift:", ...renderFields(lane.drift).map((line) => `  ${line}`)]),
    ...(credentials.length === 0 ? [] : ["", "credentials:", ...credentials]),
    ...(lane.logTail.length === 0
      ? []
      : ["", "last lines of the container:", ...lane.logTail.map((line) => `  ${toPlain(line)}`)]),
  ];
}

function renderPorts({ ports }: ApiLane): string | null {
  if (!ports || ports.length === 0) return null;
  return ports.map(({ container, host }) => `${container} at 127.0.0.1:${host}`).join(", ");
}

function renderSetup({ setup }: ApiLane): string | null {
  if (!setup || setup.state === "none") return null;
  return setup.job === null ? setup.state : `${setup.state}, job ${setup.job}`;
}

/** Where the repository's own file comes from, and what of it waits for a person. */
function renderOrigin({ repository, workspace }: ApiLane): string | null {
  if (!repository) return null;
  const { commit, asked } = repository;
  const from = commit === null ? [] : [`.lanekeeper.yaml of ${commit.slice(0, 12)}`];
  const fields = asked?.fields.map(({ field }) => toPlain(field)).join(", ");
  const wait = asked?.word === "pending" ? [`${fields} without effect until: lane config approve ${workspace}`] : [];
  const denied = asked?.word === "denied" ? [`${fields} denied`] : [];
  const parts = [...from, ...wait, ...denied];
  return parts.length === 0 ? null : parts.join("; ");
}

/** Settings that were set, in the words of `lane set`. */
function renderSettings(settings: Readonly<Record<string, unknown>>): string | null {
  const words: Readonly<Record<string, string>> = {
    memoryBytes: "limits.memory",
    cpus: "limits.cpus",
    pids: "limits.pids",
  };
  const shown = Object.entries(settings).flatMap(([name, value]) => {
    if (value === null || value === undefined) return [];
    if (name === "env" && typeof value === "object") {
      return Object.entries(value).map(([variable, text]) => `env.${variable}=${toPlain(String(text))}`);
    }
    const isEmpty = Array.isArray(value) && value.length === 0;
    const text = isEmpty ? "none" : name === "packages" ? packagesIn(value) : String(value);
    return [`${words[name] ?? name}=${toPlain(text)}`];
  });
  return shown.length === 0 ? null : shown.join(" ");
}

/** As they are given to `lane set`. */
function packagesIn(value: unknown): string {
  const kinds = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const words = kinds.flatMap(([kind, names]) => (Array.isArray(names) ? names.map((name) => `${kind}:${name}`) : []));
  return words.join(",") || "none";
}

function renderFields(fields: ApiDrift["fields"]): readonly string[] {
  const side = (value: string | null) => (value === null ? "(nothing)" : toPlain(value));
  return fields.map(
    ({ part, field, was, is }) => `${field === part ? part : `${part} ${field}`}: ${side(was)} -> ${side(is)}`,
  );
}

const DRIFT_ACTIONS: Readonly<Record<ApiDrift["action"], string>> = {
  none: "nothing to do",
  "waiting-for-idle": "recreated when its job ends",
  held: "held: `lane recreate` applies it",
  recreating: "being recreated",
};

/** `lane drift`. */
export function renderDrift(drift: ApiDrift, lane: string): readonly string[] {
  if (drift.fields.length === 0) return [`lane ${lane} has not drifted`];
  const head = `lane ${lane} has drifted in ${plural(drift.fields.length, "field")}; ${DRIFT_ACTIONS[drift.action]} (policy ${drift.policy})`;
  return [head, ...renderFields(drift.fields).map((line) => `  ${line}`)];
}

/** `lane plan` and `--dry-run`: a line per step with its cause; `!` marks what ends something. */
export function renderPlan(plan: ApiPlan, style: Style): readonly string[] {
  if (plan.steps.length === 0) return ["nothing to do"];
  return plan.steps.map(({ text, destructive }) => `${destructive ? style.yellow("!") : "-"} ${toPlain(text)}`);
}

/** `lane history`, oldest first. */
export function renderHistory(entries: readonly ApiHistoryEntry[], opts: RenderOptions): readonly string[] {
  return renderTable<ApiHistoryEntry>(
    [
      { header: "when", value: (entry) => renderAge(entry.at, opts.nowMs) },
      { header: "gen", value: (entry) => (entry.generation === null ? "-" : String(entry.generation)) },
      { header: "event", value: (entry) => entry.event },
      { header: "state", value: ({ from, to }) => (to === null ? "-" : from === null ? to : `${from} -> ${to}`) },
      { header: "cause", value: (entry) => entry.cause?.message ?? "-", shrink: true },
    ],
    entries,
    opts.width,
  );
}

/** `lane workspace show`. */
export function renderWorkspace(workspace: ApiWorkspace, opts: RenderOptions): readonly string[] {
  return renderFacts([
    ["workspace", `${opts.style.bold(workspace.name)} (${workspace.id})`],
    ["path", workspace.path],
    ["lanes", String(workspace.lanes)],
    ["settings", renderSettings(workspace.settings ?? {})],
    ["added", renderAge(workspace.createdAt, opts.nowMs)],
  ]);
}

/** `lane workspace ls`. */
export function renderWorkspaces(workspaces: readonly ApiWorkspace[], opts: RenderOptions): readonly string[] {
  return renderTable<ApiWorkspace>(
    [
      { header: "workspace", value: ({ name }) => name, shrink: true },
      { header: "lanes", value: ({ lanes }) => String(lanes) },
      { header: "added", value: ({ createdAt }) => renderAge(createdAt, opts.nowMs) },
      { header: "path", value: ({ path }) => path, shrink: true },
      { header: "settings", value: ({ settings }) => renderSettings(settings ?? {}) ?? "-", shrink: true },
    ],
    workspaces,
    opts.width,
  );
}
