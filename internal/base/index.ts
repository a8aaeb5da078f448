export { abortReason, type Clock, systemClock, throwIfAborted, waitAtMost, withDeadline } from "./clock.ts";
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
export { armFaults, FAULT_NAMES, type FaultName, faultPoint } from "./fault-point.ts";
export { newId, type Random, randomHex, systemRandom } from "./ids.ts";
export { createRedactor } from "./redactor.ts";
export { Semaphore } from "./semaphore.ts";
export { TaskGroup } from "./task-group.ts";
