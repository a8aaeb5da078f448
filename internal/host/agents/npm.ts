import { ExecaError, execa } from "execa";
import type { LanePlatform } from "../../agents/index.ts";
import { AppError, abortReason, errnoOf, toError } from "../../base/index.ts";
import { toNpmError } from "./npm-error.ts";

/** A process' environment. */
export type NpmEnv = Readonly<Record<string, string | undefined>>;

/** The host's npm. All may throw agent.not_found, agent.install_failed, store.full, host.tool_missing, timeout. */
export interface Npm {
  /** The version that is the latest now. */
  latest(packageName: string, opts: { readonly signal?: AbortSignal | undefined }): Promise<string>;
  /**
   * Installs a version and what it needs for `platform` below `folder`, checked against the registry's digests. Runs no
   * script of any package. `mark` stands in the process' environment, so that an orphan can be found.
   */
  install(
    wanted: {
      readonly package: string;
      readonly version: string;
      readonly platform: LanePlatform;
      readonly folder: string;
      readonly mark: { readonly name: string; readonly value: string };
    },
    opts: { readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
}

/** Registry, proxies, certificates, and where npm finds its own configuration; nothing else of ours is its business. */
const HANDED_ON =
  /^(PATH|HOME|LANG|TMPDIR|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|npm_config_.*|(https?|all|no)_proxy)$/i;

/** The largest agent is some 100 MB packed. */
const INSTALL_MS = 600_000;
const VIEW_MS = 60_000;

/** Few and short: a person waits for it. npm's own would take half a minute to say that there is no network. */
const RETRIES = ["--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=3000"] as const;
const QUIET = ["--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress"] as const;

/** What of an environment is npm's business. */
export function npmEnvOf(env: NpmEnv): NpmEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => HANDED_ON.test(name)));
}

/** npm as found on the `PATH` of `env`. */
export function createNpm(env: NpmEnv): Npm {
  const own = npmEnvOf(env);
  async function run(
    what: string,
    argv: readonly string[],
    opts: {
      readonly signal?: AbortSignal | undefined;
      readonly ms: number;
      readonly env?: NpmEnv;
      readonly cwd: string;
    },
  ): Promise<string> {
    const { signal } = opts;
    if (signal?.aborted) throw abortReason(signal);
    try {
      const done = await execa("npm", [...argv, ...QUIET, ...RETRIES], {
        env: { ...own, ...opts.env },
        extendEnv: false,
        cwd: opts.cwd,
        stdin: "ignore",
        timeout: opts.ms,
        // It would finish its downloads first, and what it writes to is thrown away.
        killSignal: "SIGKILL",
        ...(signal ? { cancelSignal: signal } : {}),
      });
      return done.stdout;
    } catch (caught) {
      if (signal?.aborted) throw abortReason(signal);
      throw toFailure(what, caught, opts.ms);
    }
  }
  return {
    latest: async (packageName, { signal }) => {
      const out = await run(packageName, ["view", `${packageName}@latest`, "version"], {
        signal,
        ms: VIEW_MS,
        cwd: "/",
      });
      return out.trim();
    },
    install: async ({ package: name, version, platform, folder, mark }, { signal }) => {
      const what = `${name}@${version}`;
      const { os, cpu, libc } = platform;
      const argv = [
        ...["install", what, "--prefix", folder, "--no-global", "--ignore-scripts", "--no-save", "--no-package-lock"],
        ...["--no-bin-links", "--include=optional", `--os=${os}`, `--cpu=${cpu}`, `--libc=${libc}`],
        // It runs by the lane's Node, not by this one.
        "--no-engine-strict",
      ];
      await run(what, argv, { signal, ms: INSTALL_MS, env: { [mark.name]: mark.value }, cwd: folder });
    },
  };
}

function toFailure(what: string, caught: unknown, ms: number): AppError {
  if (errnoOf(caught) === "ENOENT") {
    return new AppError({
      code: "host.tool_missing",
      message: "npm is not on laned's PATH; agents are installed by it",
      hint: "install npm, then: lane down && lane up",
      cause: caught,
    });
  }
  if (caught instanceof ExecaError && caught.timedOut) {
    return new AppError({
      code: "timeout",
      message: `${what}: npm did not come to an end within ${ms / 1000} s`,
      hint: "try again; check the network: npm ping",
      retry: "retryable",
      cause: caught,
    });
  }
  const said = caught instanceof ExecaError ? String(caught.stderr) : toError(caught).message;
  return toNpmError(what, said);
}
