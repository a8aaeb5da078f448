import { AppError, type ErrorCode, type RetryClass } from "../base/index.ts";
import { type ApiProblem, problemSchema } from "./api.ts";

/** What an error is over HTTP and as the exit code of `lane`. */
interface Outcome {
  readonly status: number;
  readonly exit: number;
}

/** Exit codes of `lane` and `laned` by meaning (design section 10). */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  loginNeeded: 4,
  conflict: 5,
  daemonUnreachable: 6,
  timedOut: 7,
  blocked: 8,
  deadline: 124,
  engine: 125,
  interrupted: 130,
  terminated: 143,
} as const;

/** The one table: every code of the product, its HTTP status and its exit code. */
const OUTCOMES: Readonly<Record<ErrorCode, Outcome>> = {
  "internal.bug": { status: 500, exit: EXIT.failed },
  "internal.illegal_transition": { status: 500, exit: EXIT.failed },
  // 499 is what proxies log for a caller that went away; nobody is left to read it.
  cancelled: { status: 499, exit: EXIT.interrupted },
  timeout: { status: 504, exit: EXIT.timedOut },
  "usage.invalid": { status: 400, exit: EXIT.usage },
  "config.invalid": { status: 400, exit: EXIT.usage },
  "request.invalid": { status: 400, exit: EXIT.usage },
  "request.unauthorized": { status: 401, exit: EXIT.loginNeeded },
  "request.forbidden": { status: 403, exit: EXIT.failed },
  "request.not_found": { status: 404, exit: EXIT.notFound },
  "request.bad_method": { status: 405, exit: EXIT.failed },
  "request.too_large": { status: 413, exit: EXIT.usage },
  "request.unsupported_media": { status: 415, exit: EXIT.usage },
  "request.misdirected": { status: 421, exit: EXIT.failed },
  "request.key_conflict": { status: 422, exit: EXIT.conflict },
  "request.not_supported": { status: 501, exit: EXIT.failed },
  "lane.not_found": { status: 404, exit: EXIT.notFound },
  "lane.ambiguous": { status: 409, exit: EXIT.usage },
  "lane.exists": { status: 409, exit: EXIT.conflict },
  "lane.invalid_name": { status: 400, exit: EXIT.usage },
  "lane.foreign_container": { status: 409, exit: EXIT.conflict },
  "lane.worktree_missing": { status: 409, exit: EXIT.failed },
  "lane.busy": { status: 409, exit: EXIT.conflict },
  "lane.not_ready": { status: 409, exit: EXIT.failed },
  "lane.failed": { status: 409, exit: EXIT.failed },
  "lane.stopped": { status: 409, exit: EXIT.conflict },
  "lane.would_lose_work": { status: 409, exit: EXIT.conflict },
  "workspace.not_found": { status: 404, exit: EXIT.notFound },
  "workspace.exists": { status: 409, exit: EXIT.conflict },
  "workspace.in_use": { status: 409, exit: EXIT.conflict },
  "workspace.invalid": { status: 422, exit: EXIT.usage },
  "job.not_found": { status: 404, exit: EXIT.notFound },
  "job.not_running": { status: 409, exit: EXIT.conflict },
  "job.started": { status: 409, exit: EXIT.conflict },
  "inbox.not_found": { status: 404, exit: EXIT.notFound },
  "inbox.answered": { status: 409, exit: EXIT.conflict },
  "inbox.expired": { status: 409, exit: EXIT.conflict },
  "inbox.full": { status: 429, exit: EXIT.failed },
  "engine.unavailable": { status: 503, exit: EXIT.engine },
  "engine.refused": { status: 503, exit: EXIT.engine },
  "engine.not_found": { status: 502, exit: EXIT.engine },
  "engine.conflict": { status: 409, exit: EXIT.engine },
  "engine.request_failed": { status: 502, exit: EXIT.engine },
  "engine.bad_response": { status: 502, exit: EXIT.engine },
  "engine.image_missing": { status: 409, exit: EXIT.engine },
  "engine.image_failed": { status: 502, exit: EXIT.engine },
  "engine.port_in_use": { status: 409, exit: EXIT.engine },
  "engine.bad_mount": { status: 422, exit: EXIT.engine },
  "worker.unreachable": { status: 503, exit: EXIT.failed },
  "worker.impostor": { status: 502, exit: EXIT.failed },
  "worker.protocol": { status: 502, exit: EXIT.failed },
  "worker.probe_timeout": { status: 504, exit: EXIT.failed },
  "worker.refused": { status: 502, exit: EXIT.failed },
  "credentials.refused": { status: 422, exit: EXIT.usage },
  "credentials.failed": { status: 502, exit: EXIT.failed },
  "agent.not_found": { status: 404, exit: EXIT.notFound },
  "agent.in_use": { status: 409, exit: EXIT.conflict },
  "agent.install_failed": { status: 502, exit: EXIT.failed },
  "git.failed": { status: 500, exit: EXIT.failed },
  "git.missing": { status: 500, exit: EXIT.failed },
  "git.conflict": { status: 409, exit: EXIT.conflict },
  // Only with the caller's word that they have looked.
  "git.flagged": { status: 409, exit: EXIT.conflict },
  // What a lane offered is not fit to be taken over.
  "git.refused": { status: 422, exit: EXIT.failed },
  "store.corrupt": { status: 500, exit: EXIT.failed },
  "store.newer_schema": { status: 500, exit: EXIT.failed },
  "store.full": { status: 507, exit: EXIT.failed },
  "store.failed": { status: 500, exit: EXIT.failed },
  "daemon.unreachable": { status: 503, exit: EXIT.daemonUnreachable },
  "daemon.already_running": { status: 409, exit: EXIT.conflict },
  "daemon.port_taken": { status: 409, exit: EXIT.failed },
  "daemon.other_build": { status: 409, exit: EXIT.conflict },
  "daemon.stopping": { status: 503, exit: EXIT.daemonUnreachable },
  "host.tool_missing": { status: 500, exit: EXIT.failed },
};

/** Media type of every error body. */
export const PROBLEM_TYPE = "application/problem+json";

/** Is this word one of our codes? */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(OUTCOMES, code);
}

/** HTTP status of an error. */
export function statusOf(code: ErrorCode): number {
  return OUTCOMES[code].status;
}

/** Exit code of an error. */
export function exitCodeOf(code: ErrorCode): number {
  return OUTCOMES[code].exit;
}

/** An error as it crosses the wire. `title` is the code in words, `detail` the message. */
export function toProblem(error: AppError, requestId: string): ApiProblem {
  return {
    type: `urn:lanekeeper:problem:${error.code}`,
    title: error.code.replace(/[._]/g, " "),
    status: statusOf(error.code),
    detail: error.message,
    code: error.code,
    retry: error.retry,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(Object.keys(error.details).length === 0 ? {} : { details: error.details }),
    requestId,
  };
}

/**
 * The error a problem body stands for. `body` is the parsed JSON, or anything else the server sent; a body that is
 * no problem, and a code this build does not know, become the nearest code of the status.
 */
export function parseProblem(status: number, body: unknown): AppError {
  const parsed = problemSchema.safeParse(body);
  if (!parsed.success) {
    return new AppError({
      code: codeOfStatus(status),
      message: `the daemon answered ${status}`,
      details: { status },
    });
  }
  const problem = parsed.data;
  const known = isErrorCode(problem.code);
  return new AppError({
    code: known ? (problem.code as ErrorCode) : codeOfStatus(status),
    message: problem.detail,
    hint: problem.hint,
    retry: problem.retry satisfies RetryClass,
    details: {
      ...problem.details,
      requestId: problem.requestId,
      ...(known ? {} : { code: problem.code }),
    },
  });
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return "request.unauthorized";
  if (status === 403) return "request.forbidden";
  if (status === 404) return "request.not_found";
  if (status === 501) return "request.not_supported";
  if (status === 503) return "daemon.stopping";
  if (status === 504) return "timeout";
  return status >= 400 && status < 500 ? "request.invalid" : "internal.bug";
}
