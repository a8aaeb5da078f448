import type { Config, HardenedGit } from "./hardened-git.ts";

/** What is to be pushed. */
export interface PushBranch {
  /** The repository's own git dir. */
  readonly gitDir: string;
  /** Short name, here and there. */
  readonly branch: string;
  readonly signal?: AbortSignal | undefined;
}

/** How it went. */
export type PushOutcome =
  /** The remote has all of it, as far as it is known here; it was not asked. */
  | { readonly kind: "nothing"; readonly remote: string; readonly tip: string }
  | { readonly kind: "pushed"; readonly remote: string; readonly tip: string }
  | { readonly kind: "refused"; readonly remote: string | null; readonly tip: string | null; readonly why: string };

/** A slow remote with a large push. */
const PUSH_TIMEOUT_MS = 5 * 60_000;
/** `ext` would be a program; `git` knows no names, and a proxy of the repository's choice. */
const TRANSPORTS = ["https", "http", "ssh", "file"];

/**
 * Pushes a branch to its remote under its own name, never by force and without the repository's hooks. Of credential
 * helpers only the developer's own and the machine's are asked: one that the repository names is a program too.
 * @throws git.failed when the repository cannot be read, timeout, cancelled
 */
export async function pushBranch(git: HardenedGit, wanted: PushBranch): Promise<PushOutcome> {
  const { gitDir, branch, signal } = wanted;
  const at = { gitDir, cwd: gitDir, signal };
  const ref = `refs/heads/${branch}`;
  const found = await git({ ...at, args: ["rev-parse", "--verify", "--quiet", `${ref}^{commit}`], okExits: [0, 1] });
  if (found.exitCode !== 0)
    return { kind: "refused", remote: null, tip: null, why: "the branch is not there any more" };
  const tip = found.stdout;
  const remote = chooseRemote(
    toSettings((await git({ ...at, args: ["config", "--list", "-z", "--includes"] })).stdout),
    branch,
  );
  if (remote === null) {
    return { kind: "refused", remote, tip, why: "it is not clear which remote to push to: set remote.pushDefault" };
  }
  const ahead = ["rev-list", "--count", "--max-count=1", tip, "--not", `--remotes=${toGlob(remote)}`, "--"];
  if ((await git({ ...at, args: ahead })).stdout === "0") return { kind: "nothing", remote, tip };
  const options = ["--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"];
  const args = ["push", ...options, "--receive-pack=git-receive-pack", "--", remote, `${tip}:${ref}`];
  const credentials = await ownCredentials(git, wanted);
  const call = { ...at, args, credentials, asPerson: true, protocols: TRANSPORTS, timeoutMs: PUSH_TIMEOUT_MS };
  const pushed = await git({ ...call, okExits: [0, 1, 128] });
  if (pushed.exitCode === 0) return { kind: "pushed", remote, tip };
  return { kind: "refused", remote, tip, why: whyRefused(pushed) };
}

/** The remote a branch is pushed to, as git chooses it; where nothing is said, `origin` or the only one. Null: none. */
export function chooseRemote(settings: ReadonlyMap<string, string>, branch: string): string | null {
  const remotes = [...settings.keys()].flatMap((name) => /^remote\.(.+)\.(url|pushurl)$/s.exec(name)?.[1] ?? []);
  const known = new Set(remotes);
  const said = [`branch.${branch}.pushremote`, "remote.pushdefault", `branch.${branch}.remote`];
  for (const name of [...said.map((key) => settings.get(key)), "origin"]) {
    if (name !== undefined && known.has(name)) return name;
  }
  const [only, ...more] = known;
  return only !== undefined && more.length === 0 ? only : null;
}

/** What the developer's and the machine's configuration say of credentials, in git's order. */
async function ownCredentials(git: HardenedGit, { gitDir, signal }: PushBranch): Promise<Config> {
  const read = async (scope: "--system" | "--global") => {
    const args = ["config", scope, "--list", "-z", "--includes"];
    const { stdout, exitCode } = await git({ gitDir, cwd: gitDir, signal, args, okExits: [0, 1, 128] });
    return exitCode === 0 ? toEntries(stdout) : [];
  };
  const all = [...(await read("--system")), ...(await read("--global"))];
  // On the command line a name ends at its first "=".
  return all.filter(([name]) => name.startsWith("credential.") && !name.includes("="));
}

function toEntries(listed: string): Config {
  return listed
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => {
      const end = entry.indexOf("\n");
      return end < 0 ? [entry, "true"] : [entry.slice(0, end), entry.slice(end + 1)];
    });
}

function toSettings(listed: string): ReadonlyMap<string, string> {
  return new Map(toEntries(listed));
}

/** Names of remotes are taken for patterns otherwise. */
function toGlob(remote: string): string {
  return remote.replace(/[\\*?[]/g, "\\$&");
}

/** In one line, without what an address may hold beside the host. */
function whyRefused({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): string {
  const rejected = stdout
    .split("\n")
    .find((line) => line.startsWith("!\t"))
    ?.split("\t")[2];
  const said = stderr.split("\n").filter((line) => line.trim() !== "");
  const first = said.find((line) => /^(fatal|error|remote):/.test(line)) ?? said[0] ?? "git gave no reason";
  const why = rejected?.replace(/[[\]]/g, "") ?? first.replace(/^(fatal|error): /, "");
  return why.replace(/\/\/[^@/\s]*@/g, "//").slice(0, 300);
}
