import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { InstallSpec, LanePlatform } from "../../agents/index.ts";
import { AppError, errnoOf, Semaphore, toError } from "../../base/index.ts";
import { type AgentSpec, IN_LANE } from "../../lane/index.ts";
import { AGENT_FILES, type AgentManifest, readManifest } from "./agent-manifest.ts";
import { installAgent, platformName } from "./install-agent.ts";
import type { Npm } from "./npm.ts";
import { sweepStaging } from "./staging.ts";

/** One installed version. */
export interface InstalledAgent extends AgentManifest {
  /** What lanes mount; absolute. */
  readonly tree: string;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The agents that are installed on this host, and which version of each is in use. */
export interface AgentCache {
  /** By agent, then by version. From memory. */
  list(): readonly InstalledAgent[];
  /** The version that lanes get; null for none. From memory. */
  inUse(agent: string): string | null;
  /** What every lane mounts. The same array until something changes. */
  specs(): readonly AgentSpec[];
  /** Installs a version unless it is there; `latest` is resolved once. Can take minutes. @throws see `installAgent` */
  install(
    wanted: { readonly agent: string; readonly spec: InstallSpec; readonly version: string },
    opts: CallOptions,
  ): Promise<{ readonly installed: InstalledAgent; readonly isNew: boolean }>;
  /** Lets lanes have an installed version, or none. @throws agent.not_found */
  use(agent: string, version: string | null): Promise<void>;
  /** Removes an installed version; whoever calls sees to it that no lane has it. @throws agent.not_found, agent.in_use */
  remove(agent: string, version: string): Promise<void>;
}

/** A pinned version, as npm writes it. It becomes a folder's name. */
const EXACT = /^\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z.-]{1,80})?$/;

/** Name of the file that holds the version in use. */
const IN_USE = "in-use";

/**
 * Opens the cache in `root`, which holds a folder per agent with one per version and platform. Removes what
 * interrupted installations left.
 * @throws store.failed
 */
export async function openAgentCache(settings: {
  readonly root: string;
  readonly platform: LanePlatform;
  readonly npm: Npm;
  readonly nowMs: () => number;
}): Promise<AgentCache> {
  const { root, platform, npm } = settings;
  const suffix = `-${platformName(platform)}`;
  const folderOf = (agent: string, version: string) => join(root, agent, `${version}${suffix}`);
  const changes = new Semaphore(1);
  let state = await observe();

  async function observe() {
    await mkdir(root, { recursive: true, mode: 0o755 });
    const installed: InstalledAgent[] = [];
    const used = new Map<string, string>();
    for (const agent of await foldersIn(root)) {
      for (const name of await foldersIn(join(root, agent))) {
        const folder = join(root, agent, name);
        const manifest = name.endsWith(suffix) ? await readManifest(folder) : null;
        if (manifest) installed.push({ ...manifest, tree: join(folder, AGENT_FILES.tree) });
      }
      const version = await readInUse(join(root, agent, IN_USE));
      if (version !== null) used.set(agent, version);
    }
    installed.sort((a, b) => a.agent.localeCompare(b.agent) || compareVersions(a.version, b.version));
    return { installed, used, specs: installed.filter((one) => used.get(one.agent) === one.version).map(toSpec) };
  }

  /** Changes the disk, then looks at it: one at a time, so that memory never shows an older disk than it has shown. */
  function change<T>(fn: () => Promise<T>): Promise<T> {
    return changes.run({}, async () => {
      try {
        return await fn();
      } finally {
        state = await observe();
      }
    });
  }

  const find = (agent: string, version: string) =>
    state.installed.find((one) => one.agent === agent && one.version === version) ?? null;
  const mustFind = (agent: string, version: string): InstalledAgent => {
    const found = find(agent, version);
    if (found) return found;
    throw new AppError({
      code: "agent.not_found",
      message: `${agent}@${version} is not installed`,
      hint: `see: lane agents ls; or: lane agents install ${agent}@${version}`,
    });
  };

  await sweepStaging(root);
  return {
    list: () => state.installed,
    inUse: (agent) => state.used.get(agent) ?? null,
    specs: () => state.specs,
    install: async ({ agent, spec, version: asked }, opts) => {
      const version = asked === "latest" ? await npm.latest(spec.package, opts) : asked;
      requireExact(agent, version);
      const known = find(agent, version);
      if (known) return { installed: known, isNew: false };
      await sweepStaging(root);
      const nowIso = new Date(settings.nowMs()).toISOString();
      const folder = folderOf(agent, version);
      await installAgent(npm, { agent, spec, version, platform, root, folder, nowIso }, opts);
      await change(async () => undefined);
      return { installed: mustFind(agent, version), isNew: true };
    },
    use: (agent, version) =>
      change(async () => {
        const file = join(root, agent, IN_USE);
        if (version === null) return rm(file, { force: true });
        mustFind(agent, version);
        await writeFile(`${file}.new`, `${version}\n`, { flush: true });
        await rename(`${file}.new`, file);
      }),
    remove: (agent, version) =>
      change(async () => {
        mustFind(agent, version);
        if (state.used.get(agent) === version) {
          throw new AppError({
            code: "agent.in_use",
            message: `${agent}@${version} is the version in use`,
            hint: `use another one first, or none: lane agents use ${agent}@none`,
          });
        }
        // Whole or gone: what is half removed has another name.
        const doomed = join(root, `.staging-0-0-${agent}-${version}`);
        await rm(doomed, { recursive: true, force: true });
        await rename(folderOf(agent, version), doomed);
        await rm(doomed, { recursive: true, force: true });
      }),
  };
}

/** The program of an installed agent as lanes see it. */
function toSpec({ agent, version, tree, program, sha256 }: InstalledAgent): AgentSpec {
  const target = join(IN_LANE.agents, agent);
  return { agent, version, hostPath: tree, target, program: join(target, program), sha256 };
}

function requireExact(agent: string, version: string): void {
  if (EXACT.test(version)) return;
  throw new AppError({
    code: "usage.invalid",
    message: `not an exact version: ${JSON.stringify(version.slice(0, 80))}`,
    hint: `write ${agent}@1.2.3, or ${agent}@latest for what is the latest now`,
  });
}

async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(".")).map(({ name }) => name);
}

async function readInUse(file: string): Promise<string | null> {
  try {
    return (await readFile(file, "utf8")).trim() || null;
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT") return null;
    throw toError(caught);
  }
}

/** By number where both have one. */
function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
