import { AGENTS, type Agent, findAgent } from "../../agents/index.ts";
import { AppError } from "../../base/index.ts";
import type { AgentCache, InstalledAgent } from "../../host/index.ts";
import type { AgentService } from "../../hostapi/index.ts";
import type { ApiAgent, ApiAgentVersion } from "../../protocol/index.ts";
import type { Core } from "../core.ts";

/** Agents as the host API needs them: the cache's, the lanes that have them, and how their logins stand. */
export function createAgentService(core: Core): AgentService {
  const cache: AgentCache = core.agents;

  /** Names of the lanes whose container was made with that version. */
  function lanesWith({ agent, version }: InstalledAgent): readonly string[] {
    return core.supervisor.lanes().flatMap((lane) => {
      const specs = core.store.lanes.findGeneration(lane.id, lane.generation)?.spec.agents ?? [];
      return specs.some((spec) => spec.agent === agent && spec.version === version) ? [lane.name] : [];
    });
  }

  function toVersion(installed: InstalledAgent): ApiAgentVersion {
    const { agent, version, platform, sha256, bytes, installedAt } = installed;
    const inUse = cache.inUse(agent) === version;
    return { agent, version, platform, inUse, lanes: [...lanesWith(installed)], sha256, bytes, installedAt };
  }

  function toAgent(agent: Agent): ApiAgent {
    const { name, title, install, logins } = agent;
    return {
      agent: name,
      title,
      package: install?.package ?? null,
      inUse: cache.inUse(name),
      versions: cache.list().flatMap((one) => (one.agent === name ? [toVersion(one)] : [])),
      login: logins.length === 0 ? { state: "not-needed", source: null } : loginOf(name),
    };
  }

  function loginOf(name: string): ApiAgent["login"] {
    const state = core.credentials.stateOf(name);
    const source = state.kind === "usable" ? state.login.source : state.kind === "refused" ? state.source : null;
    return { state: state.kind, source };
  }

  async function use(agent: Agent, version: string | null): Promise<void> {
    await cache.use(agent.name, version);
    core.credentials.agentsChanged();
    for (const lane of core.supervisor.lanes()) core.supervisor.wake(lane.id);
  }

  return {
    list: () => AGENTS.map(toAgent),
    install: async ({ agent: name, version }, opts) => {
      const agent = findAgent(name);
      if (agent.install === null) {
        throw new AppError({
          code: "usage.invalid",
          message: `${agent.name} is a part of every lane: there is nothing to install`,
        });
      }
      const { installed, isNew } = await cache.install({ agent: agent.name, spec: agent.install, version }, opts);
      if (cache.inUse(agent.name) === null) await use(agent, installed.version);
      return { version: toVersion(installed), isNew };
    },
    use: async (name, version) => {
      const agent = findAgent(name);
      await use(agent, version);
      return toAgent(agent);
    },
    remove: async (name, version) => {
      const agent = findAgent(name);
      const known = cache.list().find((one) => one.agent === agent.name && one.version === version);
      const lanes = known ? lanesWith(known) : [];
      if (lanes.length > 0 && cache.inUse(name) !== version) throw stillMounted(`${agent.name}@${version}`, lanes);
      await cache.remove(agent.name, version);
    },
  };
}

function stillMounted(what: string, lanes: readonly string[]): AppError {
  return new AppError({
    code: "agent.in_use",
    message: `${what} is still in the containers of lanes`,
    hint: `wait until they are recreated, or do it now: lane recreate ${lanes[0] ?? ""}`,
    details: { lanes },
  });
}
