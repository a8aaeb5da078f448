import { AppError } from "../base/index.ts";
import type { Workspace } from "../lane/index.ts";
import { isDuplicate, isForeignKey } from "./errors.ts";
import type { Feed } from "./feed.ts";
import type { Tx } from "./tx.ts";

/** Repositories on record. Synchronous, durable on return. */
export interface Workspaces {
  /** Oldest first. */
  list(): readonly Workspace[];
  find(id: string): Workspace | null;
  /** @throws workspace.exists when its id, name or path is taken */
  insert(workspace: Workspace): void;
  /** Absent is fine. @throws workspace.in_use while it has lanes */
  delete(id: string): void;
}

interface WorkspaceRow {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly created_at: number;
}

/** The workspaces in `tx`. */
export function createWorkspaces(tx: Tx, feed: Feed, nowMs: () => number): Workspaces {
  const { db } = tx;
  const all = db.prepare<[], WorkspaceRow>("SELECT * FROM workspaces ORDER BY created_at, id");
  const byId = db.prepare<[string], WorkspaceRow>("SELECT * FROM workspaces WHERE id = ?");
  const insert = db.prepare("INSERT INTO workspaces (id, name, path, created_at) VALUES (?, ?, ?, ?)");
  const remove = db.prepare("DELETE FROM workspaces WHERE id = ?");

  const append = (type: string, workspace: string, name: string) =>
    feed.append({ atMs: nowMs(), type, lane: null, job: null, data: { workspace, name } });

  return {
    list: () => tx.read(() => all.all().map(toWorkspace)),
    find: (id) =>
      tx.read(() => {
        const row = byId.get(id);
        return row ? toWorkspace(row) : null;
      }),
    insert: (workspace) =>
      tx.write(() => {
        try {
          insert.run(workspace.id, workspace.name, workspace.path, workspace.createdAtMs);
        } catch (caught) {
          throw isDuplicate(caught) ? exists(workspace, caught) : caught;
        }
        append("workspace.added", workspace.id, workspace.name);
      }),
    delete: (id) =>
      tx.write(() => {
        const row = byId.get(id);
        if (!row) return;
        try {
          remove.run(id);
        } catch (caught) {
          throw isForeignKey(caught) ? inUse(row, caught) : caught;
        }
        append("workspace.removed", id, row.name);
      }),
  };
}

function toWorkspace(row: WorkspaceRow): Workspace {
  return { id: row.id, name: row.name, path: row.path, createdAtMs: row.created_at };
}

function exists(workspace: Workspace, cause: unknown): AppError {
  return new AppError({
    code: "workspace.exists",
    message: `a workspace named ${workspace.name} or at ${workspace.path} is registered already`,
    hint: "see lane workspace ls; give another name with --name",
    cause,
  });
}

function inUse(row: WorkspaceRow, cause: unknown): AppError {
  return new AppError({
    code: "workspace.in_use",
    message: `workspace ${row.name} still has lanes`,
    hint: "remove its lanes first: lane ls, lane rm <lane>",
    cause,
  });
}
