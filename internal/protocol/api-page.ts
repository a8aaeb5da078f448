import * as z from "zod";

/** Shapes of what only the page needs: its login, terminals, and the findings of doctor. Fields are only ever added. */

const iso = z.iso.datetime();

/** Answer to `POST /v1/login-codes`. */
export const loginCodeSchema = z.object({
  /** The page's address with a code in its fragment. */
  url: z.string(),
  expiresAt: iso,
});

export const loginSchema = z.strictObject({ code: z.string().min(1).max(128) });

/** Answer to `POST /v1/login`: what a page sends as bearer token from then on. */
export const loggedInSchema = z.object({ token: z.string() });

/** In characters. */
const size = { cols: z.number().int().min(2).max(1000), rows: z.number().int().min(1).max(1000) };

export const openTerminalSchema = z.strictObject(size);

/** A ticket for one shell in the lane: a WebSocket to `path` within its time, with the subprotocol and the ticket. */
export const terminalTicketSchema = z.object({
  path: z.string(),
  protocol: z.string(),
  ticket: z.string(),
  expiresAt: iso,
});

/** A page's text frames; its binary ones are what was typed. `ack`: so many bytes of output have been drawn. */
export const terminalCommandSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("resize"), ...size }),
  z.strictObject({ type: z.literal("ack"), bytes: z.number().int().min(1) }),
]);

export const doctorCheckSchema = z.object({
  /** Stable word, as `podman.version`. */
  id: z.string(),
  title: z.string(),
  level: z.enum(["ok", "warn", "fail"]),
  detail: z.string(),
  /** What to do; null when all is well. */
  fix: z.string().nullable(),
});

/** What `lane doctor` finds; nothing is mended. */
export const doctorSchema = z.object({ ok: z.boolean(), checks: z.array(doctorCheckSchema) });

export type ApiLoginCode = z.infer<typeof loginCodeSchema>;
export type ApiTerminalTicket = z.infer<typeof terminalTicketSchema>;
export type ApiDoctor = z.infer<typeof doctorSchema>;
export type TerminalSize = z.infer<typeof openTerminalSchema>;
/** The daemon's text frames. `taken`: the shell has got so many bytes of input; the others are followed by the end. */
export type TerminalNotice =
  | { readonly type: "taken"; readonly bytes: number }
  | { readonly type: "exit"; readonly exitCode: number | null }
  | { readonly type: "error"; readonly message: string };
