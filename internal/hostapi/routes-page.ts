import { AppError } from "../base/index.ts";
import {
  doctorSchema,
  laneQuerySchema,
  loggedInSchema,
  loginCodeSchema,
  loginSchema,
  openTerminalSchema,
  TERMINAL_PROTOCOL,
  terminalTicketSchema,
} from "../protocol/index.ts";
import { resolveLane } from "./lane-ref.ts";
import { defineRoute, json, ok, type Route } from "./route.ts";

const tag = "page";

/** What the page needs beyond lanes, jobs and the inbox. */
export const PAGE_ROUTES: readonly Route[] = [
  defineRoute({
    method: "POST",
    path: "/v1/login-codes",
    name: "issueLoginCode",
    keyed: "never",
    summary: "The page's address with a one-time code in its fragment; over the unix socket only",
    tag,
    answers: [{ status: 201, description: "The address", schema: loginCodeSchema }],
    handle: ({ isLocal }, { ports, login }) => {
      if (!isLocal) {
        throw new AppError({
          code: "request.forbidden",
          message: "codes are given over the daemon's unix socket only",
          hint: "run: lane open",
        });
      }
      const address = ports.status.address();
      if (address === null) {
        throw new AppError({ code: "daemon.stopping", message: "the page is not served yet", retry: "retryable" });
      }
      const { code, expiresAtMs } = login.issue();
      return json({ url: `${address}/#code=${code}`, expiresAt: new Date(expiresAtMs).toISOString() }, 201);
    },
  }),
  defineRoute({
    method: "POST",
    path: "/v1/login",
    name: "login",
    keyed: "never",
    summary: "Exchanges a one-time code for the bearer token; without a token, for a page of our own origin only",
    tag,
    body: loginSchema,
    answers: [ok("The token", loggedInSchema)],
    handle: ({ body }, { login }) => json({ token: login.redeem(body.code) }),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/lanes/{id}/terminal",
    name: "openTerminal",
    keyed: "never",
    summary: "A ticket for one shell in the lane, good for 30 s: a WebSocket to `path` with both words as subprotocols",
    tag,
    query: laneQuerySchema,
    body: openTerminalSchema,
    answers: [{ status: 201, description: "The ticket", schema: terminalTicketSchema }],
    handle: ({ id, query, body }, { ports, terminals }) => {
      const { ticket, expiresAtMs } = terminals.issue(resolveLane(ports, id, query.workspace).id, body);
      const expiresAt = new Date(expiresAtMs).toISOString();
      return json({ path: "/v1/terminal", protocol: TERMINAL_PROTOCOL, ticket, expiresAt }, 201);
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/doctor",
    name: "doctor",
    summary: "What `lane doctor` finds on this machine; mends nothing",
    tag,
    answers: [ok("The findings", doctorSchema)],
    handle: async ({ signal }, { ports }) => json(await ports.status.doctor({ signal })),
  }),
];
