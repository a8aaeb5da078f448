import { isAbsolute, join } from "node:path";
import { AppError } from "../base/index.ts";

/** Environment variables as the composition root hands them on. */
export type Env = Readonly<Record<string, string | undefined>>;

/** What {@link resolvePaths} needs to know of the machine. */
export interface MachineFacts {
  /** Home folder of the user, for when HOME is not set. */
  readonly homedir: string;
  /** The folder for temporary files. */
  readonly tmpdir: string;
  /** Is there a folder at this path? */
  readonly hasFolder: (path: string) => boolean;
}

/** Every place of one installation. All absolute. */
export interface Paths {
  readonly config: { readonly dir: string; readonly file: string };
  readonly state: {
    readonly dir: string;
    readonly database: string;
    /** Holds the installation's random id. */
    readonly install: string;
    /** Bearer token of the TCP listener, 0600. */
    readonly token: string;
    readonly logs: string;
    readonly log: string;
  };
  readonly data: { readonly dir: string };
  readonly cache: { readonly dir: string };
  readonly runtime: {
    readonly dir: string;
    readonly apiSocket: string;
    readonly podmanSocket: string;
    readonly boot: string;
  };
}

/** `sun_path` holds 108 bytes, one of them the final NUL. */
export const SOCKET_PATH_MAX_BYTES = 107;

const NAME = "lanekeeper";

/**
 * The folders of this installation, by the XDG rules. Pure: nothing is created or checked, see `prepareFolders`.
 * @throws config.invalid for a relative XDG variable and for a socket path that no unix socket can have
 */
export function resolvePaths(env: Env, uid: number, facts: MachineFacts): Paths {
  const home = env.HOME || facts.homedir;
  const config = join(xdg(env, "XDG_CONFIG_HOME") ?? join(home, ".config"), NAME);
  const state = join(xdg(env, "XDG_STATE_HOME") ?? join(home, ".local", "state"), NAME);
  const runtime = runtimeDir(env, uid, facts);
  return {
    config: { dir: config, file: join(config, "config.yaml") },
    state: {
      dir: state,
      database: join(state, `${NAME}.db`),
      install: join(state, "install"),
      token: join(state, "token"),
      logs: join(state, "logs"),
      log: join(state, "logs", "laned.log"),
    },
    data: { dir: join(xdg(env, "XDG_DATA_HOME") ?? join(home, ".local", "share"), NAME) },
    cache: { dir: join(xdg(env, "XDG_CACHE_HOME") ?? join(home, ".cache"), NAME) },
    runtime: {
      dir: runtime,
      apiSocket: socketPath(join(runtime, "api.sock")),
      podmanSocket: socketPath(join(runtime, "podman.sock")),
      boot: join(runtime, "boot"),
    },
  };
}

/** The folder with a lane's bootstrap files, mounted read-only into its container. */
export function bootFolderOf(paths: Paths, laneId: string): string {
  return join(paths.runtime.boot, laneId);
}

function xdg(env: Env, name: string): string | undefined {
  const value = env[name];
  if (value === undefined || value === "") return undefined;
  // The XDG text says to ignore a relative path; silently using another database would be worse.
  if (!isAbsolute(value)) {
    throw new AppError({
      code: "config.invalid",
      message: `${name} is not an absolute path: ${JSON.stringify(value)}`,
      hint: `set ${name} to an absolute path, or unset it`,
    });
  }
  return value;
}

function runtimeDir(env: Env, uid: number, facts: MachineFacts): string {
  const given = xdg(env, "XDG_RUNTIME_DIR");
  if (given !== undefined) return join(given, NAME);
  const perUser = `/run/user/${uid}`;
  if (facts.hasFolder(perUser)) return join(perUser, NAME);
  return uid === 0 ? join("/run", NAME) : join(facts.tmpdir, `${NAME}-${uid}`);
}

function socketPath(path: string): string {
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_MAX_BYTES) return path;
  throw new AppError({
    code: "config.invalid",
    message: `the socket path ${path} is ${bytes} bytes long; a unix socket's path has at most ${SOCKET_PATH_MAX_BYTES}`,
    hint: "set XDG_RUNTIME_DIR to a folder with a shorter path",
    details: { path, bytes },
  });
}
