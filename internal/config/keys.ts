import type { z } from "zod";
import {
  absolutePath,
  allowedMounts,
  commandLine,
  duration,
  engineAddress,
  environment,
  integer,
  loginChoice,
  oneOf,
  orNone,
  orOff,
  positive,
  size,
  skillChoice,
  text,
  words,
  yesOrNo,
} from "./values.ts";

/** The largest wait a timer of Node can hold. */
const TIMER_MAX = 2 ** 31 - 1;

/** A worker measures its jobs every 10 s: what is shorter than two of these says nothing. */
const STUCK_MIN_MS = 20_000;

/** What defaults depend on. */
export interface DefaultFacts {
  readonly cores: number;
}

/** One setting: what it means, how it is read, its default, and further variables that set it. */
interface Key<T> {
  readonly help: string;
  readonly schema: z.ZodType<T>;
  readonly fallback: (facts: DefaultFacts) => T;
  /** Variables read after the setting's own `LANEKEEPER_…`. */
  readonly env?: readonly string[];
  /** Set in files only: its value does not fit one line. */
  readonly fileOnly?: true;
}

const key = <T>(definition: Key<T>): Key<T> => definition;
const loginChoiceOf = (agent: string) =>
  key({
    help: `where ${agent}'s login is taken from: auto, env, file, none, or the path of its login file`,
    schema: loginChoice,
    fallback: () => "auto" as const,
  });
const syncCommandOf = (agent: string) =>
  key({
    help: `command, as a list of words, that renews ${agent}'s login on this host`,
    schema: orNone(commandLine),
    fallback: () => null,
    fileOnly: true,
  });
const writeBackOf = (agent: string) =>
  key({
    help: `whether a login that ${agent} renews in a lane comes back into this host's login file`,
    schema: yesOrNo,
    fallback: () => false,
  });
const argsOf = (agent: string) =>
  key({
    help: `more arguments of ${agent}'s process, as a list of words`,
    schema: words,
    fallback: (): readonly string[] => [],
    fileOnly: true,
  });
const envOf = (agent: string) =>
  key({
    help: `more variables of ${agent}'s process, as a base address; not for secrets`,
    schema: environment,
    fallback: (): Readonly<Record<string, string>> => ({}),
    fileOnly: true,
  });
const wait = (help: string, defaultMs: number) =>
  key({ help, schema: duration.refine((ms) => ms <= TIMER_MAX, "is too long"), fallback: () => defaultMs });

/** Every setting there is. Defaults of the lane loop are those of the supervisor and of its restart ladder. */
export const KEYS = {
  "api.port": key({ help: "port of the page and the HTTP API", schema: integer(0, 65_535), fallback: () => 4711 }),
  "engine.address": key({
    help: "Podman's API; found by itself when not set",
    schema: engineAddress.nullable(),
    fallback: () => null,
    env: ["CONTAINER_HOST"],
  }),
  "engine.runtime": key({
    help: "OCI runtime, as runc or crun; found by itself when not set",
    schema: text.nullable(),
    fallback: () => null,
  }),
  "engine.ulimits.nofile": key({
    help: "open files in a lane; found by itself when not set",
    schema: orNone(integer(64, 2 ** 30)),
    fallback: () => null,
  }),
  "engine.ulimits.nproc": key({
    help: "processes of a lane's user; found by itself when not set",
    schema: orNone(integer(16, 2 ** 30)),
    fallback: () => null,
  }),
  image: key({
    help: "runtime image of lanes that name none",
    schema: text,
    fallback: () => "localhost/lane-runtime:local",
  }),
  "limits.memory": key({ help: "memory of a lane, as 2g", schema: orNone(size), fallback: () => null }),
  "limits.cpus": key({ help: "cores of a lane, as 1.5", schema: orNone(positive(4096)), fallback: () => null }),
  "limits.pids": key({ help: "processes of a lane", schema: orNone(integer(16, 4_194_304)), fallback: () => 4096 }),
  "lanes.concurrency": key({
    help: "engine changes at once",
    schema: integer(1, 64),
    fallback: ({ cores }) => Math.max(1, Math.min(4, cores)),
  }),
  "jobs.max": key({
    help: "jobs that run at once over all lanes; none or 0 for no limit",
    schema: orOff(integer(1, 10_000)),
    fallback: () => null,
  }),
  "jobs.minFreeMemory": key({
    help: "memory the host must have left before a job is begun beside another, as 512m; none or 0 for no limit",
    schema: orOff(size),
    fallback: () => 512 * 2 ** 20,
  }),
  "jobs.stuckAfter": key({
    help: "a job whose processes do nothing for this long is stuck; none or 0 for never",
    schema: orOff(duration.refine((ms) => ms >= STUCK_MIN_MS, `must be at least ${STUCK_MIN_MS / 1000}s`)),
    fallback: () => 600_000,
  }),
  "jobs.stuckAction": key({
    help: "what is done about a stuck job, beside telling it",
    schema: oneOf(["tell", "cancel"]),
    fallback: () => "tell" as const,
  }),
  "tasks.accept": key({
    help: "tasks that agents propose: ask waits for a person, auto queues them",
    schema: oneOf(["ask", "auto"]),
    fallback: () => "ask" as const,
  }),
  "jobs.keepFor": key({
    help: "output of jobs that ended longer ago is removed, as 30d; none or 0 for never",
    schema: orOff(duration),
    fallback: () => 30 * 86_400_000,
  }),
  "jobs.keepBytes": key({
    help: "above this much output of jobs in all, that of the jobs that ended first is removed; none or 0 for no limit",
    schema: orOff(size),
    fallback: () => 10 * 2 ** 30,
  }),
  "inbox.keepFor": key({
    help: "what was answered, done or expired longer ago is removed from the inbox, as 90d; none or 0 for never",
    schema: orOff(duration),
    fallback: () => 90 * 86_400_000,
  }),
  "mounts.allow": key({
    help: "host folders that lanes may mount",
    schema: allowedMounts,
    fallback: () => [],
    fileOnly: true,
  }),
  "credentials.folder": key({
    help: "host folder whose files every lane gets below its agent's home",
    schema: orNone(absolutePath),
    fallback: () => null,
  }),
  agent: key({
    help: "agent that prompts go to when neither they nor their lane name one",
    schema: oneOf(["claude", "codex", "gemini", "shell"]).nullable(),
    fallback: () => null,
  }),
  skills: key({
    help: "skills that agents get in lanes that choose none: all, none, or a list of their folders' names",
    schema: skillChoice,
    fallback: () => "all" as const,
  }),
  "agents.claude.credentials": loginChoiceOf("claude"),
  "agents.claude.syncCommand": syncCommandOf("claude"),
  "agents.claude.writeBack": writeBackOf("claude"),
  "agents.claude.args": argsOf("claude"),
  "agents.claude.env": envOf("claude"),
  "agents.codex.credentials": loginChoiceOf("codex"),
  "agents.codex.syncCommand": syncCommandOf("codex"),
  "agents.codex.writeBack": writeBackOf("codex"),
  "agents.codex.args": argsOf("codex"),
  "agents.codex.env": envOf("codex"),
  "agents.gemini.credentials": loginChoiceOf("gemini"),
  "agents.gemini.syncCommand": syncCommandOf("gemini"),
  "agents.gemini.args": argsOf("gemini"),
  "agents.gemini.env": envOf("gemini"),
  "log.level": key({
    help: "what laned logs",
    schema: oneOf(["trace", "debug", "info", "warn", "error"]),
    fallback: () => "info" as const,
  }),
  "timeouts.startup": wait("from a container's start to its worker's proof", 120_000),
  "timeouts.stopGrace": wait("from TERM to KILL", 10_000),
  "timeouts.stopDrain": wait("for the running job when a lane is stopped", 30_000),
  "timeouts.relist": wait("between two full looks at the engine", 5000),
  "timeouts.ping": wait("between two questions to a ready worker", 4000),
  "timeouts.pingAnswer": wait("for a ready worker's answer", 2000),
  "timeouts.hung": wait("until a silent worker's lane is recreated", 60_000),
  "timeouts.cancel": wait("for a worker's sign that it cancels; then the lane's container is ended", 60_000),
  "timeouts.settle": wait("after a lost engine call", 2000),
  "timeouts.orphanGrace": wait("before a container of no known lane is removed", 60_000),
  "timeouts.shutdown": wait("for everything when laned stops", 20_000),
  "backoff.base": wait("first pause after a failed start", 1000),
  "backoff.max": wait("longest pause between two starts", 60_000),
  "backoff.window": wait("span in which failures count", 600_000),
  "backoff.forget": wait("of being ready that forgets all failures", 600_000),
  "backoff.failures": key({
    help: "failures inside the window that end it",
    schema: integer(1, 1000),
    fallback: () => 8,
  }),
} as const satisfies Readonly<Record<string, Key<never> | Key<unknown>>>;

/** A setting's name, as in `lane config get <key>`. */
export type SettingKey = keyof typeof KEYS;

/** The value of each setting. */
export type SettingValues = { readonly [K in SettingKey]: ReturnType<(typeof KEYS)[K]["fallback"]> };

/** All settings' names, in the order they are shown. */
export const SETTING_KEYS = Object.keys(KEYS) as readonly SettingKey[];

/** Is this a setting's name? */
export function isSettingKey(name: string): name is SettingKey {
  return Object.hasOwn(KEYS, name);
}

/** The variables that set `name`, the one that wins first: `api.port` is LANEKEEPER_API_PORT. Empty for file-only ones. */
export function variablesOf(name: SettingKey): readonly string[] {
  const definition: Key<unknown> = KEYS[name] as Key<unknown>;
  if (definition.fileOnly) return [];
  const own = `LANEKEEPER_${name
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replaceAll(".", "_")
    .toUpperCase()}`;
  return [own, ...(definition.env ?? [])];
}
