/**
 * The one error class of the product. Callers switch on `code`, never on text; the retry class is decided
 * where the error is made and survives wrapping; `message` says what happened and to which lane, `hint` the
 * next step. Nothing but an `Error` is ever thrown.
 */

/** May the same operation succeed when simply tried again later? */
export type RetryClass = "retryable" | "terminal";

/** Stable codes, `<area>.<what>`. The part before the dot is the area that made the error. */
export type ErrorCode =
  | "internal.bug"
  | "internal.illegal_transition"
  | "cancelled"
  | "timeout"
  | "usage.invalid"
  | "config.invalid"
  | "request.invalid"
  | "request.unauthorized"
  | "request.not_found"
  | "request.bad_method"
  | "request.key_conflict"
  | "request.forbidden"
  | "request.misdirected"
  | "request.too_large"
  | "request.unsupported_media"
  | "request.not_supported"
  | "lane.not_found"
  | "lane.ambiguous"
  | "lane.exists"
  | "lane.invalid_name"
  | "lane.foreign_container"
  | "lane.worktree_missing"
  | "lane.busy"
  | "lane.not_ready"
  | "lane.failed"
  | "lane.stopped"
  | "lane.would_lose_work"
  | "workspace.not_found"
  | "workspace.exists"
  | "workspace.in_use"
  | "workspace.invalid"
  | "job.not_found"
  | "job.not_running"
  | "job.started"
  | "inbox.not_found"
  | "inbox.answered"
  | "inbox.expired"
  | "inbox.full"
  | "engine.unavailable"
  | "engine.refused"
  | "engine.not_found"
  | "engine.conflict"
  | "engine.request_failed"
  | "engine.bad_response"
  | "engine.image_missing"
  | "engine.image_failed"
  | "engine.port_in_use"
  | "engine.bad_mount"
  | "worker.unreachable"
  | "worker.impostor"
  | "worker.protocol"
  | "worker.probe_timeout"
  | "worker.refused"
  | "credentials.refused"
  | "credentials.failed"
  | "agent.not_found"
  | "agent.in_use"
  | "agent.install_failed"
  | "git.failed"
  | "git.missing"
  | "git.conflict"
  | "git.flagged"
  | "git.refused"
  | "store.corrupt"
  | "store.newer_schema"
  | "store.full"
  | "store.failed"
  | "daemon.unreachable"
  | "daemon.already_running"
  | "daemon.port_taken"
  | "daemon.other_build"
  | "daemon.stopping"
  | "host.tool_missing";

/** What an {@link AppError} is made from. */
export interface AppErrorInit {
  readonly code: ErrorCode;
  /** What happened, on which lane, with the limit or observed value. One line. */
  readonly message: string;
  /** The next step for the person reading it. One line, an imperative. */
  readonly hint?: string | undefined;
  /** Default `terminal`. */
  readonly retry?: RetryClass;
  /** Machine-readable facts; must not hold secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** See the head of this file. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retry: RetryClass;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(init: AppErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.hint = init.hint;
    this.retry = init.retry ?? "terminal";
    this.details = init.details ?? {};
  }
}

/** Is `error` an {@link AppError} with one of these codes? */
export function hasCode<C extends ErrorCode>(
  error: unknown,
  ...codes: readonly C[]
): error is AppError & { readonly code: C } {
  return error instanceof AppError && (codes as readonly ErrorCode[]).includes(error.code);
}

/** Anything caught, as an `Error`; what is not one is kept as the cause. */
export function toError(caught: unknown): Error {
  if (caught instanceof Error) return caught;
  return new Error(typeof caught === "string" ? caught : `not an Error: ${String(caught)}`, { cause: caught });
}

/** Anything caught, as an {@link AppError}: already one, it is passed through; else it becomes `internal.bug`. */
export function toAppError(caught: unknown): AppError {
  if (caught instanceof AppError) return caught;
  const error = toError(caught);
  return new AppError({
    code: "internal.bug",
    message: `internal error: ${error.message}`,
    hint: "this is a defect of Lanekeeper: please report it with the log of laned",
    cause: error,
  });
}

/** The errno-style code (`ENOENT`, `ECONNREFUSED`) of a caught system error, looked for along its causes. */
export function errnoOf(caught: unknown): string | undefined {
  for (let at: unknown = caught, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}

/** Ends a switch over a union: the compiler proves it unreachable. */
export function assertNever(value: never): never {
  throw new AppError({ code: "internal.bug", message: `unhandled case: ${JSON.stringify(value)}` });
}
