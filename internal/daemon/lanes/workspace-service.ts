import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { AppError, newId } from "../../base/index.ts";
import { cloneRepository, describeRepository, type HardenedGit, parseCloneUrl } from "../../git/index.ts";
import type { CallOptions, WorkspaceService } from "../../hostapi/index.ts";
import type { Workspace } from "../../lane/index.ts";
import type { ApiCloneProgress } from "../../protocol/index.ts";
import type { Core } from "../core.ts";

/**
 * Repositories as the host API needs them.
 * @param clonesDir where those are that we have cloned; only ours
 */
export function createWorkspaceService({ store }: Core, git: HardenedGit, clonesDir: string): WorkspaceService {
  const clones = new Set<{ progress: ApiCloneProgress }>();
  const names = () => new Set(store.workspaces.list().map((one) => one.name));
  const register = async (path: string, name: string | undefined, opts: CallOptions): Promise<Workspace> => {
    const repo = await describeRepository(git, path, opts);
    const workspace = {
      id: newId(),
      name: name ?? freeName(basename(repo.path, ".git"), names()),
      path: repo.path,
      createdAtMs: Date.now(),
    };
    store.workspaces.insert(workspace);
    return workspace;
  };
  const clone = async (url: string, name: string | undefined, opts: CallOptions): Promise<Workspace> => {
    const from = parseCloneUrl(url);
    if (name !== undefined && names().has(name)) throw taken(name);
    const under = { progress: { url, name: name ?? from.name, phase: "asking", percent: 0 } };
    clones.add(under);
    try {
      const path = await cloneRepository(git, {
        ...{ from, root: clonesDir, name: from.name, signal: opts.signal },
        onProgress: (phase, percent) => {
          under.progress = { ...under.progress, phase, percent };
        },
      });
      return await register(path, name, opts).catch(async (error) => {
        await rm(path, { recursive: true, force: true });
        throw error;
      });
    } finally {
      clones.delete(under);
    }
  };
  return {
    list: () => store.workspaces.list(),
    add: (wanted, opts) =>
      "url" in wanted ? clone(wanted.url, wanted.name, opts) : register(wanted.path, wanted.name, opts),
    clones: () => [...clones].map(({ progress }) => progress),
    remove: async (id) => {
      if (!store.workspaces.find(id)) {
        throw new AppError({
          code: "workspace.not_found",
          message: `there is no workspace ${id}`,
          hint: "see: lane workspace ls",
        });
      }
      store.workspaces.delete(id);
    },
  };
}

/** Two clones of one repository have one folder name: the second is called `name-2`. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let n = 2; ; n++) if (!taken.has(`${name}-${n}`)) return `${name}-${n}`;
}

function taken(name: string): AppError {
  return new AppError({
    code: "workspace.exists",
    message: `a workspace named ${name} is registered already`,
    hint: "see lane workspace ls; give another name with --name",
  });
}
