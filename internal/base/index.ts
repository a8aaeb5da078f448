export { abortReason, type Clock, systemClock, throwIfAborted, withDeadline } from "./clock.ts";
export { closestTo, didYouMean } from "./closest.ts";
export { parseDurationMs, renderDuration } from "./duration.ts";
export {
  AppError,
  type AppErrorInit,
  assertNever,
  type ErrorCode,
  errnoOf,
  hasCode,
  type RetryClass,
  toAppError,
  toError,
} from "./errors.ts";
export { newId, type Random, randomHex, systemRandom } from "./ids.ts";
export { Semaphore } from "./semaphore.ts";
export { TaskGroup } from "./task-group.ts";
