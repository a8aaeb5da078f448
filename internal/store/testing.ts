import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Job, JobState } from "../job/index.ts";
import { DEFAULT_SETTINGS, type Lane, type LaneSpec, type Workspace } from "../lane/index.ts";
import { openStore, type Store, type StoreOptions } from "./open-store.ts";

/** A folder for one test, removed when disposed. */
export interface TempFolder extends Disposable {
  readonly path: string;
}

/** Makes a {@link TempFolder}. */
export function tempFolder(): TempFolder {
  const path = mkdtempSync(join(tmpdir(), "lanekeeper-store-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Opens the store in `folder` with a clock that stands at 1000. */
export function openIn(folder: string, more: Partial<StoreOptions> = {}): Store {
  return openStore({ path: join(folder, "state", "store.db"), nowMs: () => 1000, ...more });
}

/**
 * What a process killed at this moment leaves behind: the files as the kernel has them, without a close. Returns the
 * folder's twin, to be opened anew.
 */
export function snapshotOf(store: Store, to: string): string {
  const path = join(to, `snapshot-${Math.random().toString(36).slice(2)}.db`);
  for (const suffix of ["", "-wal"]) {
    if (existsSync(store.path + suffix)) copyFileSync(store.path + suffix, path + suffix);
  }
  return path;
}

/** The file that holds the not yet checkpointed commits. */
export const walOf = (store: Store): string => join(dirname(store.path), "store.db-wal");

export const workspace: Workspace = { id: "ws", name: "repo", path: "/src/repo", createdAtMs: 1 };

export const lane = (id: string): Lane => ({
  id,
  name: id,
  workspaceId: "ws",
  branch: id,
  worktree: `/src/repo.lanes/${id}`,
  desired: "up",
  settings: DEFAULT_SETTINGS,
  generation: 0,
  createdAtMs: 2,
});

export const job = (
  id: string,
  more: Partial<Job> & { readonly key?: string; readonly priority?: number } = {},
): Job => {
  const { key, priority, ...rest } = more;
  return {
    id,
    laneId: "demo",
    spec: {
      work: { kind: "command", argv: ["true"] },
      key: key ?? null,
      deadlineMs: null,
      priority: priority ?? 0,
      retry: "never",
    },
    bodyHash: "0".repeat(64),
    state: { phase: "queued", attempt: 0, waiting: null },
    createdAtMs: 3,
    startedAtMs: null,
    endedAtMs: null,
    ...rest,
  };
};

export const active = (phase: "dispatching" | "accepted" | "running"): JobState => ({
  phase,
  attempt: 1,
  generation: 1,
  reachable: true,
  cancelling: false,
});

export const spec: LaneSpec = {
  schema: 1,
  image: { id: "a".repeat(64) },
  worker: { entrypoint: ["/usr/local/bin/lane-worker"], workdir: "/workspace", init: true, binaries: [] },
  mounts: [{ kind: "volume", source: "v", target: "/lane/state", readOnly: false }],
  env: { TZ: "UTC" },
  network: { name: "n", isolate: true, ports: [{ containerPort: 31417, hostIp: "127.0.0.1" }] },
  limits: { memoryBytes: null, cpus: null, pids: 512, nofile: null, nproc: null, logBytes: 1 },
  security: {
    workerUid: 1,
    workerGid: 1,
    agentUid: 2,
    agentGid: 2,
    capabilities: ["SETUID"],
    noNewPrivileges: true,
    readOnlyRoot: true,
    userns: "host",
    runtime: null,
  },
  agents: [],
};

/** A store with one workspace and the lane `demo`. */
export function filledStore(folder: string, more: Partial<StoreOptions> = {}): Store {
  const store = openIn(folder, more);
  store.workspaces.insert(workspace);
  store.lanes.insertLane(lane("demo"));
  return store;
}
