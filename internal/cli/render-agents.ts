import type { ApiAgent } from "../protocol/index.ts";
import type { RenderOptions } from "./style.ts";
import { renderTable } from "./table.ts";
import { renderAge } from "./text.ts";

interface AgentRow {
  readonly agent: string;
  readonly version: string;
  readonly login: string;
  readonly lanes: string;
  readonly size: string;
  readonly installed: string;
}

/** `lane agents ls`: a line per installed version, and one for each agent without any. */
export function renderAgents(agents: readonly ApiAgent[], opts: RenderOptions): readonly string[] {
  return renderTable<AgentRow>(
    [
      { header: "agent", value: ({ agent }) => agent },
      { header: "version", value: ({ version }) => version, shrink: true },
      { header: "login", value: ({ login }) => login, shrink: true },
      { header: "lanes", value: ({ lanes }) => lanes },
      { header: "size", value: ({ size }) => size },
      { header: "installed", value: ({ installed }) => installed },
    ],
    agents.flatMap((agent) => rowsOf(agent, opts.nowMs)),
    opts.width,
  );
}

function rowsOf({ agent, versions, login: { state, source }, ...rest }: ApiAgent, nowMs: number): readonly AgentRow[] {
  const login = `${state.replace("-", " ")}${source === null ? "" : ` (${source})`}`;
  const none = { agent, login, lanes: "", size: "", installed: "" };
  if (rest.package === null) return [{ ...none, version: "built in" }];
  const missing = rest.inUse !== null && versions.every(({ inUse }) => !inUse);
  const rows = versions.map((one) => ({
    agent,
    version: `${one.version}${one.inUse ? " *" : ""}`,
    login,
    lanes: String(one.lanes.length),
    size: renderBytes(one.bytes),
    installed: renderAge(one.installedAt, nowMs),
  }));
  if (missing) return [...rows, { ...none, version: `${rest.inUse} * (gone)` }];
  return rows.length === 0 ? [{ ...none, version: "not installed" }] : rows;
}

/** Bytes for people, as `352 MB`. */
export function renderBytes(bytes: number): string {
  const [unit, of] = bytes < 1e6 ? (["kB", 1e3] as const) : (["MB", 1e6] as const);
  return `${Math.ceil(bytes / of)} ${unit}`;
}
