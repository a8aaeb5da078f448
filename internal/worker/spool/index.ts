export { ATTEMPT_FILES, syncPath } from "./attempt-files.ts";
export type { AttemptLog, AttemptPhase } from "./attempt-log.ts";
export { openSpool, type Spool } from "./spool.ts";
export type { ReadLimits, SpooledLine } from "./spooled-line.ts";
