import { AppError, toError } from "../base/index.ts";
import { LINK_CLOSE } from "../protocol/index.ts";
import { SocketEnded } from "./frame-socket.ts";

/** Close codes by which a worker refuses the link itself, and the word for each. */
const REFUSALS: Readonly<Record<number, string>> = {
  [LINK_CLOSE.unauthorized]: "unauthorized",
  [LINK_CLOSE.generation]: "generation",
  [LINK_CLOSE.version]: "version",
  [LINK_CLOSE.busy]: "busy",
};

/** The worker is not there, or not any more. */
export function unreachable(laneId: string, reason: string, cause?: unknown): AppError {
  const message = `the worker of lane ${laneId} is not reachable: ${reason}`;
  return new AppError({ code: "worker.unreachable", message, retry: "retryable", cause });
}

/** What answers is not this lane's worker. */
export function impostor(laneId: string, endpoint: string): AppError {
  return new AppError({
    code: "worker.impostor",
    message: `what answers at ${endpoint} does not know the secret of lane ${laneId}`,
    hint: "recreate the lane: another program took its port",
  });
}

/** The worker says no. `word` is stable: a close reason or the worker's own code. */
export function refused(laneId: string, word: string, reason: string): AppError {
  const message = `the worker of lane ${laneId} refused: ${reason}`;
  return new AppError({ code: "worker.refused", message, details: { code: word, message: reason } });
}

/** The worker broke the protocol. */
export function misfit(laneId: string, reason: string): AppError {
  return new AppError({
    code: "worker.protocol",
    message: `the worker of lane ${laneId} broke the protocol: ${reason}`,
  });
}

/** Anything that ended the opening of a link, as one of the errors above. */
export function toOpenError(laneId: string, caught: unknown): Error {
  if (!(caught instanceof SocketEnded)) return toError(caught);
  const { end } = caught;
  if (end.kind === "misfit") return misfit(laneId, end.reason);
  const word = REFUSALS[end.code];
  if (word !== undefined) return refused(laneId, word, end.reason);
  return unreachable(laneId, end.error?.message ?? (end.reason || `closed with ${end.code}`), end.error ?? undefined);
}
