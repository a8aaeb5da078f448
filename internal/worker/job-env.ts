import { nodeCaEnv } from "../lane/index.ts";

/** What the environment of every job is built from. */
export interface JobEnvBase {
  readonly home: string;
  /** The relay's address, as agents call it. */
  readonly apiUrl: string;
  readonly agentUid: number;
  /** The container's environment, as the worker was started with. It never holds a secret. */
  readonly own: Readonly<Record<string, string | undefined>>;
}

/** Where programs are looked up when the image does not say. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Of the container's environment, what is the worker's own business; the rest is the image's and the lane's. */
const WORKERS_OWN: ReadonlySet<string> = new Set([
  "HOME",
  "USER",
  "PWD",
  "OLDPWD",
  "SHLVL",
  "_",
  "TERM",
  "INBOX_API_URL",
]);

/** The variable every process of an attempt carries, so that cancelling finds those that left its process group. */
export const MARKER_VARIABLE = "LANEKEEPER_JOB";

/** `LANEKEEPER_JOB=<job>/<attempt>`, as it stands in an environment. */
export function toMarker(job: string, attempt: number): string {
  return `${MARKER_VARIABLE}=${job}/${attempt}`;
}

/** A job's environment: what the image and the lane set, the agent's own identity, then the work's, then the marker. */
export function buildJobEnv(
  base: JobEnvBase,
  work: Readonly<Record<string, string>>,
  attempt: { readonly job: string; readonly attempt: number },
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(base.own)) {
    if (value !== undefined && !WORKERS_OWN.has(name)) env[name] = value;
  }
  const identity = {
    HOME: base.home,
    PATH: base.own.PATH ?? DEFAULT_PATH,
    LANG: base.own.LANG ?? "C.UTF-8",
    USER: base.agentUid === 0 ? "root" : (base.own.USER ?? "agent"),
    INBOX_API_URL: base.apiUrl,
  };
  return { ...nodeCaEnv(env), ...env, ...identity, ...work, [MARKER_VARIABLE]: `${attempt.job}/${attempt.attempt}` };
}

/** Why this environment cannot be passed, or null. The shells of the launcher drop names that are no identifiers. */
export function whyEnvInvalid(env: Readonly<Record<string, string>>): string | null {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      return `${JSON.stringify(name)} is not a name of an environment variable`;
    if (value.includes("\0")) return `the environment variable ${name} holds a NUL`;
  }
  return null;
}

/** Variables that make the loader or a shell run code: they must not reach the launcher's privileged half. */
const LOADER_VARIABLE = /^(?:LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|ENV|BASH.*|SHELLOPTS|PS4|IFS)$/;

/**
 * Splits an environment: `early` may be there while the launcher still has the worker's capabilities, `late` (each as
 * `NAME=value`) is set only after it has become the agent's user.
 */
export function splitEnv(env: Readonly<Record<string, string>>): {
  readonly early: Readonly<Record<string, string>>;
  readonly late: readonly string[];
} {
  const entries = Object.entries(env);
  return {
    early: Object.fromEntries(entries.filter(([name]) => !LOADER_VARIABLE.test(name))),
    late: entries.filter(([name]) => LOADER_VARIABLE.test(name)).map(([name, value]) => `${name}=${value}`),
  };
}
