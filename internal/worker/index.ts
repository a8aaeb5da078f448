export { createLog, type WorkerLog } from "./log.ts";
export { runPlacer } from "./run-placer.ts";
export { runWarmUp } from "./run-warm-up.ts";
export { type RunningWorker, startWorker, type WorkerOptions } from "./worker.ts";
