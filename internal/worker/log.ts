/** Facts of one log line. Never secrets, never output of jobs. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The worker's log: one JSON object per line. Messages are constant, data goes into fields. */
export interface WorkerLog {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that hands each finished line (with its newline) to `write`. A writer of our own: pino costs boot time. */
export function createLog(write: (line: string) => void): WorkerLog {
  const line =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      write(`${JSON.stringify({ time: new Date().toISOString(), level, msg: message, ...toPlain(fields) })}\n`);
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

/** Errors do not survive JSON by themselves. */
function toPlain(fields: LogFields): LogFields {
  if (!(fields.err instanceof Error)) return fields;
  const { message, stack } = fields.err;
  return { ...fields, err: { message, code: (fields.err as NodeJS.ErrnoException).code, stack } };
}
