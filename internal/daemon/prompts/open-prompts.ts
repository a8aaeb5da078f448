import type { Logger } from "pino";
import { AGENTS } from "../../agents/index.ts";
import { systemClock } from "../../base/index.ts";
import type { Paths, Settings } from "../../config/index.ts";
import { createCommandResolver, DEFAULT_POLICY, type WorkResolver } from "../../dispatch/index.ts";
import type { AgentCache } from "../../host/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { Store } from "../../store/index.ts";
import type { CredentialDesk } from "../credentials/credential-desk.ts";
import { readOutcomes } from "../inbox/question-outcomes.ts";
import type { LaneConfig } from "../settings/workspace-settings.ts";
import { type AccountBook, openAccountBook } from "./account-book.ts";
import { createGuideDesk } from "./guide-desk.ts";
import { createLoginKeeper } from "./login-keeper.ts";
import { createPromptResolver } from "./prompt-work.ts";

/** What becomes of prompts: which agent they go to, under which account, and what its end means. */
export interface Prompts extends AsyncDisposable {
  readonly work: WorkResolver;
  readonly accounts: AccountBook;
  /** Logins may be other ones now. */
  readonly loginsChanged: () => void;
}

const NO_EXTRAS = { args: [], env: {} } as const;

/** Builds it. The functions are called only once all is built. */
export function openPrompts(
  { settings, paths, log }: { readonly settings: Settings; readonly paths: Paths; readonly log: Logger },
  deps: {
    readonly store: Store;
    readonly agents: AgentCache;
    readonly desk: CredentialDesk;
    readonly findLane: (laneId: string) => Lane | null;
    /** What is in force for the lane. */
    readonly configOf: (lane: Lane) => Pick<LaneConfig, "lane" | "origins">;
    readonly retry: (jobId: string) => void;
    readonly readmit: () => void;
  },
): Prompts {
  const { store, agents, desk, findLane } = deps;
  const accountLog = log.child({ component: "accounts" });
  const accounts = openAccountBook({
    records: store.accounts,
    clock: systemClock,
    log: accountLog,
    onChange: () => setImmediate(deps.readmit),
  });
  const logins = createLoginKeeper({
    agents: AGENTS.map(({ name }) => name),
    loginOf: desk.loginOf,
    renewLogin: desk.renewLogin,
    accounts,
    retry: deps.retry,
    onNeeded: ({ laneId, id }, agent) => {
      const atMs = systemClock.nowMs();
      store.feed.append({ atMs, type: "agent.login_needed", lane: laneId, job: id, data: { agent } });
    },
    log: accountLog,
  });
  const specOf = (laneId: string) => {
    const lane = findLane(laneId);
    return lane && (store.lanes.findGeneration(laneId, lane.generation)?.spec ?? null);
  };
  /** What a repository prefers only counts where it is installed. */
  const agentOf = (laneId: string): string | null => {
    const lane = findLane(laneId);
    if (lane === null) return null;
    const { lane: made, origins } = deps.configOf(lane);
    const { agent } = made.settings;
    const isThere = agent === "shell" || agents.specs().some((one) => one.agent === agent);
    return origins.agent === "repository" && !isThere ? null : agent;
  };
  const { outputCapBytes } = DEFAULT_POLICY;
  const work = createPromptResolver({
    commands: createCommandResolver({ outputCapBytes }),
    nowMs: systemClock.nowMs,
    outputCapBytes,
    installed: () => agents.specs().map(({ agent }) => agent),
    programOf: (laneId, agent) => specOf(laneId)?.agents.find((one) => one.agent === agent)?.program ?? null,
    extrasOf: (agent) => (agent === "shell" ? NO_EXTRAS : settings.agents[agent]),
    loginOf: desk.loginOf,
    guide: createGuideDesk({
      configDir: paths.config.dir,
      bootDir: paths.runtime.boot,
      skills: settings.skills,
      findLane: (laneId) => {
        const lane = findLane(laneId);
        return lane && deps.configOf(lane).lane;
      },
      findWorkspace: (id) => store.workspaces.find(id),
    }),
    preferred: (laneId) => agentOf(laneId) ?? settings.agent,
    agentUid: (laneId) => specOf(laneId)?.security.agentUid ?? null,
    sessions: store.jobs,
    outcomesOf: (job) => readOutcomes(store, job),
    accounts,
    onLoginFailed: logins.failed,
  });
  return {
    work,
    accounts,
    loginsChanged: () => {
      logins.changed();
      deps.readmit();
    },
    [Symbol.asyncDispose]: () => logins[Symbol.asyncDispose](),
  };
}
