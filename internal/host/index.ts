export { type AgentCache, type InstalledAgent, openAgentCache } from "./agents/agent-cache.ts";
export { createNpm, type NpmEnv } from "./agents/npm.ts";
export { type BootFolderSettings, createBootFolders } from "./boot-folders.ts";
export { readFreeMemory } from "./free-memory.ts";
export { createHostView } from "./host-view.ts";
export { listMonitors, type MonitorProcess, parseMonitor, parseProcStat, startTimeOf } from "./process-table.ts";
export { type InstalledFile, installWorkerFiles, type WorkerFiles } from "./worker-files.ts";
