import { AppError } from "../base/index.ts";

/** Ids become arguments of commands: none may look like an option or a path. */
const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** Is this fit to be an agent's session id? */
export function isSessionId(text: string | null): text is string {
  return text !== null && SESSION_ID.test(text);
}

/** Throws `request.invalid` for what is no session id. */
export function toSessionId(text: string): string {
  if (SESSION_ID.test(text)) return text;
  throw new AppError({
    code: "request.invalid",
    message: `"${text.slice(0, 60)}" is no session id of an agent`,
    hint: "take the id from the result of an earlier job, or begin a new session",
  });
}
