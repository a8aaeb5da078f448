import { AppError } from "../../base/index.ts";
import type { LaneConfigService } from "../../hostapi/index.ts";
import { NO_REPOSITORY_CONFIG, toCause, type Workspace } from "../../lane/index.ts";
import type { Core } from "../core.ts";
import { toView } from "../lanes/lane-views.ts";

/** What lanes are made with, as the host API needs it. */
export function createConfigService(core: Core): LaneConfigService {
  const { laneConfig, setup, store, supervisor } = core;
  const mustFind = (id: string): Workspace => {
    const workspace = store.workspaces.find(id);
    if (workspace) return workspace;
    throw new AppError({
      code: "workspace.not_found",
      message: `there is no workspace ${id}`,
      hint: "see: lane workspace ls",
    });
  };
  return {
    settingsOf: laneConfig.settingsOf,
    patchWorkspace: (id, change) => {
      const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
      return laneConfig.patch(mustFind(id).id, given);
    },
    repository: async (id, base, opts) => {
      const { reading, asked, base: named } = await laneConfig.view(mustFind(id), base, opts);
      if (reading.kind === "broken") {
        const error = toCause(reading.error);
        return { base: named, commit: null, found: true, error, config: NO_REPOSITORY_CONFIG, asked };
      }
      const { commit, text, config } = reading;
      return { base: named, commit: commit || null, found: text !== null, error: null, config, asked };
    },
    decide: (id, said, opts) => laneConfig.decide(mustFind(id), said, opts),
    laneConfig: async (id, opts) => {
      const {
        lane,
        setup: before,
        teardown,
        origins,
        repository,
      } = await laneConfig.refresh(supervisor.view(id).lane, opts);
      const { memoryBytes, cpus, pids, env, drift, ephemeral, onSuccess, role, ...rest } = lane.settings;
      const limits = { "limits.memory": memoryBytes, "limits.cpus": cpus, "limits.pids": pids };
      const variables = Object.fromEntries(Object.entries(env).map(([name, value]) => [`env.${name}`, value]));
      const values = { ...rest, ...limits, setup: before, teardown, ...variables };
      const own = { drift, ephemeral, onSuccess, role };
      return {
        commit: repository.commit,
        values: [
          ...Object.entries(values).map(([key, value]) => ({ key, value, origin: origins[key] ?? "installation" })),
          ...Object.entries(own).map(([key, value]) => ({ key, value, origin: "lane" })),
        ],
      };
    },
    setUp: (id, { skip }) => {
      if (skip) setup.skip(id);
      else setup.again(id);
      return toView(core, supervisor.view(id), null);
    },
  };
}
