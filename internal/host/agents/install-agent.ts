import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { InstallSpec, LanePlatform } from "../../agents/index.ts";
import { AppError, errnoOf } from "../../base/index.ts";
import { AGENT_FILES, type AgentManifest, readManifest } from "./agent-manifest.ts";
import type { Npm } from "./npm.ts";
import { diskFullError } from "./npm-error.ts";
import { sealTree } from "./seal-tree.ts";
import { makeStaging, STAGING_MARK } from "./staging.ts";

/** A version to be installed. */
export interface WantedInstall {
  readonly agent: string;
  readonly spec: InstallSpec;
  readonly version: string;
  readonly platform: LanePlatform;
  /** Holds staging folders; on one file system with `folder`. */
  readonly root: string;
  /** Where the version is to be. */
  readonly folder: string;
  /** ISO 8601. */
  readonly nowIso: string;
}

/**
 * Installs one version: into a staging folder first, which becomes `folder` by one rename when it is whole, sealed and
 * on the disk. Whatever ends it before leaves nothing at `folder`. Of two at once the first wins, the other takes its.
 * @throws agent.not_found, agent.install_failed, store.full, host.tool_missing, timeout
 */
export async function installAgent(
  npm: Npm,
  wanted: WantedInstall,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<AgentManifest> {
  const { agent, spec, version, platform, root, folder } = wanted;
  const what = `${agent}@${version}`;
  let staging: string | null = null;
  try {
    await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
    staging = await makeStaging(root);
    const tree = join(staging, AGENT_FILES.tree);
    await mkdir(tree);
    const mark = { name: STAGING_MARK, value: staging };
    await npm.install({ package: spec.package, version, platform, folder: tree, mark }, opts);
    // npm's own notes say where it all came from; with them the digest would depend on the registry's address.
    await rm(join(tree, "node_modules", ".package-lock.json"), { force: true });
    const program = join("node_modules", spec.programPackage(platform), spec.program(platform));
    await requireProgram(what, join(tree, program), spec.runtime);
    const manifest: AgentManifest = {
      schema: 1,
      agent,
      version,
      platform: platformName(platform),
      package: spec.package,
      program,
      ...(await sealTree(tree, opts)),
      installedAt: wanted.nowIso,
    };
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    await writeFile(join(staging, AGENT_FILES.manifest), text, { mode: 0o444, flush: true });
    return await moveInto(staging, folder, manifest);
  } catch (caught) {
    if (errnoOf(caught) === "ENOSPC") throw diskFullError(what);
    throw caught;
  } finally {
    if (staging !== null) await rm(staging, { recursive: true, force: true });
  }
}

/** As it stands in folder names. */
export function platformName({ os, cpu, libc }: LanePlatform): string {
  return `${os}-${cpu}-${libc}`;
}

async function requireProgram(what: string, path: string, runtime: InstallSpec["runtime"]): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile() && (runtime === "node" || (found.mode & 0o111) !== 0)) return;
  // npm passes over an optional package that it cannot get, and says nothing.
  throw new AppError({
    code: "agent.install_failed",
    message: `${what}: its program did not come with it`,
    hint: "try again, or install another version",
    retry: "retryable",
    details: { program: path },
  });
}

async function moveInto(staging: string, folder: string, manifest: AgentManifest): Promise<AgentManifest> {
  try {
    await rename(staging, folder);
    return manifest;
  } catch (caught) {
    const errno = errnoOf(caught);
    if (errno !== "ENOTEMPTY" && errno !== "EEXIST" && errno !== "ENOTDIR") throw caught;
    const other = await readManifest(folder);
    if (other !== null) return other;
    // Something that is no installation is in its place.
    await rm(folder, { recursive: true, force: true });
    await rename(staging, folder);
    return manifest;
  }
}
