import type { SkillChoice } from "../lane/index.ts";
import type { SettingValues } from "./keys.ts";
import type { AllowedMount } from "./values.ts";

/** Validated settings as programs use them. Times in ms, sizes in bytes, `null` for "not limited" or "find it yourself". */
export interface Settings {
  readonly api: { readonly port: number };
  readonly engine: {
    readonly address: string | null;
    readonly runtime: string | null;
    readonly ulimits: { readonly nofile: number | null; readonly nproc: number | null };
  };
  /** Reference of the runtime image for lanes that name none. */
  readonly image: string;
  readonly limits: { readonly memoryBytes: number | null; readonly cpus: number | null; readonly pids: number | null };
  readonly lanes: { readonly concurrency: number };
  /** What the jobs of all lanes together may use, when one is stuck, and how much of their output is kept. */
  readonly jobs: {
    readonly max: number | null;
    readonly minFreeMemoryBytes: number | null;
    readonly stuckAfterMs: number | null;
    readonly stuckAction: SettingValues["jobs.stuckAction"];
    readonly keepForMs: number | null;
    readonly keepBytes: number | null;
  };
  /** How long closed items are kept. */
  readonly inbox: { readonly keepForMs: number | null };
  /** What becomes of tasks that agents propose. */
  readonly tasks: { readonly accept: SettingValues["tasks.accept"] };
  readonly mounts: { readonly allow: readonly AllowedMount[] };
  /** Host folder of credential files for every lane. */
  readonly credentials: { readonly folder: string | null };
  /** Agent of prompts that name none, in lanes that name none. */
  readonly agent: SettingValues["agent"];
  /** Skills that agents get in lanes that choose none. */
  readonly skills: SkillChoice;
  /** By the agent's name. */
  readonly agents: Readonly<Record<"claude" | "codex" | "gemini", AgentSettings>>;
  readonly log: { readonly level: SettingValues["log.level"] };
  readonly timeouts: {
    readonly startupMs: number;
    readonly stopGraceMs: number;
    readonly stopDrainMs: number;
    readonly relistMs: number;
    readonly pingMs: number;
    readonly pingAnswerMs: number;
    readonly hungMs: number;
    readonly cancelMs: number;
    readonly settleMs: number;
    readonly orphanGraceMs: number;
    readonly shutdownMs: number;
  };
  readonly backoff: {
    readonly baseMs: number;
    readonly maxMs: number;
    readonly windowMs: number;
    readonly forgetMs: number;
    readonly failures: number;
  };
}

/** Settings of one agent. */
export interface AgentSettings {
  /** Where its login is taken from; a path names its login file. */
  readonly credentials: "auto" | "env" | "file" | "none" | `/${string}`;
  /** Command line that renews its login on the host. */
  readonly syncCommand: readonly string[] | null;
  /** Does what a lane's agent renews come back into the host's file? */
  readonly writeBack: boolean;
  /** Additional arguments of its process. */
  readonly args: readonly string[];
  /** Additional variables of its process; not secrets. */
  readonly env: Readonly<Record<string, string>>;
}

/** The flat values of the table as nested settings. */
export function toSettings(values: SettingValues): Settings {
  return {
    api: { port: values["api.port"] },
    engine: {
      address: values["engine.address"],
      runtime: values["engine.runtime"],
      ulimits: { nofile: values["engine.ulimits.nofile"], nproc: values["engine.ulimits.nproc"] },
    },
    image: values.image,
    limits: { memoryBytes: values["limits.memory"], cpus: values["limits.cpus"], pids: values["limits.pids"] },
    lanes: { concurrency: values["lanes.concurrency"] },
    jobs: {
      max: values["jobs.max"],
      minFreeMemoryBytes: values["jobs.minFreeMemory"],
      stuckAfterMs: values["jobs.stuckAfter"],
      stuckAction: values["jobs.stuckAction"],
      keepForMs: values["jobs.keepFor"],
      keepBytes: values["jobs.keepBytes"],
    },
    inbox: { keepForMs: values["inbox.keepFor"] },
    tasks: { accept: values["tasks.accept"] },
    mounts: { allow: values["mounts.allow"] },
    credentials: { folder: values["credentials.folder"] },
    agent: values.agent,
    skills: values.skills,
    agents: { claude: agentOf(values, "claude"), codex: agentOf(values, "codex"), gemini: agentOf(values, "gemini") },
    log: { level: values["log.level"] },
    timeouts: {
      startupMs: values["timeouts.startup"],
      stopGraceMs: values["timeouts.stopGrace"],
      stopDrainMs: values["timeouts.stopDrain"],
      relistMs: values["timeouts.relist"],
      pingMs: values["timeouts.ping"],
      pingAnswerMs: values["timeouts.pingAnswer"],
      hungMs: values["timeouts.hung"],
      cancelMs: values["timeouts.cancel"],
      settleMs: values["timeouts.settle"],
      orphanGraceMs: values["timeouts.orphanGrace"],
      shutdownMs: values["timeouts.shutdown"],
    },
    backoff: {
      baseMs: values["backoff.base"],
      maxMs: values["backoff.max"],
      windowMs: values["backoff.window"],
      forgetMs: values["backoff.forget"],
      failures: values["backoff.failures"],
    },
  };
}

function agentOf(values: SettingValues, name: "claude" | "codex" | "gemini"): AgentSettings {
  return {
    credentials: values[`agents.${name}.credentials`],
    syncCommand: values[`agents.${name}.syncCommand`],
    // Gemini's refresh token stays the same: there is nothing to bring back.
    writeBack: name === "gemini" ? false : values[`agents.${name}.writeBack`],
    args: values[`agents.${name}.args`],
    env: values[`agents.${name}.env`],
  };
}
