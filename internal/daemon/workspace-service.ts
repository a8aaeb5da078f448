import { basename } from "node:path";
import { AppError, newId } from "../base/index.ts";
import { describeRepository, type HardenedGit } from "../git/index.ts";
import type { WorkspaceService } from "../hostapi/index.ts";
import type { Core } from "./core.ts";

/** Repositories as the host API needs them. */
export function createWorkspaceService({ store }: Core, git: HardenedGit): WorkspaceService {
  return {
    list: () => store.workspaces.list(),
    add: async ({ path, name }, opts) => {
      const repo = await describeRepository(git, path, opts);
      const wanted = name ?? freeName(basename(repo.path), new Set(store.workspaces.list().map((w) => w.name)));
      const workspace = { id: newId(), name: wanted, path: repo.path, createdAtMs: Date.now() };
      store.workspaces.insert(workspace);
      return workspace;
    },
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
