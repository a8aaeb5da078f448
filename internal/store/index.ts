export { type AttemptFiles, createAttemptFiles } from "./attempt-files.ts";
export type { StoredAttempt } from "./attempts.ts";
export { acquireDaemonLock, type DaemonLock, type LockHolder } from "./daemon-lock.ts";
export type { Feed, FeedEntry } from "./feed.ts";
export type { Jobs } from "./jobs.ts";
export type { Lanes, StoredGeneration } from "./lanes.ts";
export { openStore, type Store, type StoreOptions } from "./open-store.ts";
export type { StoredLaneMemory } from "./parse-memory.ts";
export type { Workspaces } from "./workspaces.ts";
