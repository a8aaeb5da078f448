export { createLog, type WorkerLog } from "./log.ts";
export { runPlacer } from "./placement/placer.ts";
export { runWarmUp } from "./run-warm-up.ts";
export { type RunningWorker, startWorker, type WorkerOptions } from "./worker.ts";
