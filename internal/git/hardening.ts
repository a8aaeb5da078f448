import { isAbsolute } from "node:path";

/**
 * What every host call of git is made with (guarantees page section 6 point 5, threat T25). A repository's own
 * configuration names programs in many places; each is switched off here, on the command line or in the environment,
 * which both beat any file. Filters are switched off by name, see `filters.ts`.
 */

/** What the composition root hands on of its environment. */
export interface GitEnv {
  readonly PATH?: string | undefined;
  readonly HOME?: string | undefined;
  readonly XDG_CONFIG_HOME?: string | undefined;
  /** For calls that reach a remote as the person would: their ssh agent, proxies and certificates. */
  readonly remote?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Variables of {@link GitEnv.remote}. */
const REMOTE_VARIABLES: readonly string[] = [
  ...["SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"],
];

/** Configuration that calls to a remote as the person leave as the person has it. */
const OF_THE_PERSON: ReadonlySet<string> = new Set(["credential.helper"]);

/** Configuration given as `-c`: git passes these on to the processes it starts, also inside submodules. */
export const HARDENED_CONFIG: readonly (readonly [name: string, value: string])[] = [
  // Nobody can put a file below /dev/null, unlike an empty folder of ours.
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.pager", "cat"],
  ["core.askPass", "false"],
  ["core.editor", "false"],
  ["core.alternateRefsCommand", ""],
  ["credential.helper", ""],
  ["commit.gpgSign", "false"],
  ["gpg.program", "false"],
  ["protocol.allow", "never"],
  ["protocol.ext.allow", "never"],
  ["safe.bareRepository", "explicit"],
  ["submodule.recurse", "false"],
  ["diff.ignoreSubmodules", "all"],
  ["log.showSignature", "false"],
  ["worktree.guessRemote", "false"],
  ["checkout.guess", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
];

/** Subcommands that would run an external diff or a text converter of the repository's choice. */
const DIFFING = new Set([
  "diff",
  "log",
  "show",
  "whatchanged",
  "format-patch",
  "diff-tree",
  "diff-index",
  "diff-files",
]);

/** The whole environment of a call: nothing of ours leaks in, least of all GIT_DIR, GIT_EXTERNAL_DIFF or a secret. */
export function hardenedEnv(
  env: GitEnv,
  opts: {
    readonly protocols: readonly string[];
    readonly config: readonly (readonly [string, string])[];
    readonly quarantine?: { readonly dir: string; readonly objects: string } | undefined;
    readonly asPerson?: boolean | undefined;
    readonly indexFile?: string | undefined;
  },
): Record<string, string> {
  const out: Record<string, string> = {
    PATH: absoluteOnly(env.PATH),
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_PAGER: "cat",
    GIT_EDITOR: "false",
    GIT_ASKPASS: "false",
    SSH_ASKPASS: "false",
    GIT_SSH_COMMAND: opts.asPerson ? "ssh -o BatchMode=yes" : "false",
    GIT_LFS_SKIP_SMUDGE: "1",
    GIT_NO_LAZY_FETCH: "1",
    // A replace ref would show us other commits than those that are there.
    GIT_NO_REPLACE_OBJECTS: "1",
    // And a graft another history. Below a file, so that there is none.
    GIT_GRAFT_FILE: "/dev/null/none",
    // Beats `protocol.<name>.allow` of the repository, with which a missing object could be "fetched" by any program.
    GIT_ALLOW_PROTOCOL: opts.protocols.length === 0 ? "none" : opts.protocols.join(":"),
  };
  if (opts.quarantine) {
    out.GIT_OBJECT_DIRECTORY = opts.quarantine.dir;
    out.GIT_ALTERNATE_OBJECT_DIRECTORIES = JSON.stringify(opts.quarantine.objects);
  }
  if (opts.asPerson) {
    for (const name of REMOTE_VARIABLES) {
      const value = env.remote?.[name];
      if (value) out[name] = value;
    }
  }
  if (opts.indexFile) out.GIT_INDEX_FILE = opts.indexFile;
  if (env.HOME) out.HOME = env.HOME;
  if (env.XDG_CONFIG_HOME) out.XDG_CONFIG_HOME = env.XDG_CONFIG_HOME;
  // In the environment and not as `-c`: the name of a filter may contain "=".
  if (opts.config.length > 0) out.GIT_CONFIG_COUNT = String(opts.config.length);
  opts.config.forEach(([name, value], i) => {
    out[`GIT_CONFIG_KEY_${i}`] = name;
    out[`GIT_CONFIG_VALUE_${i}`] = value;
  });
  return out;
}

/** The arguments of a call, behind `git`. */
export function hardenedArgs(call: {
  readonly gitDir?: string | undefined;
  readonly workTree?: string | undefined;
  readonly asPerson?: boolean | undefined;
  readonly credentials?: readonly (readonly [name: string, value: string])[] | undefined;
  readonly args: readonly string[];
}): readonly string[] {
  const [command = "", ...rest] = call.args;
  const { credentials = [] } = call;
  // Emptied first where others are named: whatever files say of helpers is forgotten then.
  const isTheirs = (name: string) => call.asPerson && call.credentials === undefined && OF_THE_PERSON.has(name);
  const config = [...HARDENED_CONFIG.filter(([name]) => !isTheirs(name)), ...credentials];
  return [
    "--no-pager",
    ...config.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ...(call.gitDir === undefined ? [] : [`--git-dir=${call.gitDir}`]),
    ...(call.workTree === undefined ? [] : [`--work-tree=${call.workTree}`]),
    command,
    ...(DIFFING.has(command) ? ["--no-ext-diff", "--no-textconv"] : []),
    ...rest,
  ];
}

/** A relative entry of PATH would be looked up in the folder git runs in, which a lane may write. */
function absoluteOnly(path: string | undefined): string {
  const kept = (path ?? "").split(":").filter((entry) => isAbsolute(entry));
  return kept.length > 0 ? kept.join(":") : "/usr/local/bin:/usr/bin:/bin";
}
