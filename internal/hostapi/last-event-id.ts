import { AppError } from "../base/index.ts";

/**
 * Where a client that reconnects wants to go on, by the header a browser sends; null without one.
 * @throws request.invalid for anything but a number
 */
export function lastEventId(call: { readonly header: (name: string) => string | null }): number | null {
  const text = call.header("last-event-id");
  if (text === null || text === "") return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new AppError({
    code: "request.invalid",
    message: `Last-Event-ID is not a number: ${JSON.stringify(text.slice(0, 40))}`,
  });
}
