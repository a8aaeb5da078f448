import { chmod, lstat, stat, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { AppError, errnoOf, newId } from "../base/index.ts";
import { statusOf } from "../protocol/index.ts";
import { accessOf } from "./guard.ts";
import type { HostApi, Via } from "./host-api.ts";
import { toProblemParts } from "./http.ts";
import { refuseUpgrade } from "./terminal.ts";

/** An open listener. */
export interface Listener extends AsyncDisposable {
  /** Path of the socket, or `http://127.0.0.1:<port>`. */
  readonly address: string;
  /** Of a TCP listener; 0 for a socket. */
  readonly port: number;
  /** Takes no new connections, lets running requests end, cuts what is left after `graceMs`. May be repeated. */
  close(opts: { readonly graceMs: number }): Promise<void>;
}

/** Head and body of a request must come within this; answers may take as long as they like. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 10_000;
const HEADERS_MAX_BYTES = 16 * 1024;
const DISPOSE_GRACE_MS = 2000;
const IDLE_SWEEP_MS = 10;

/**
 * Serves the API on a unix socket that only this user can open. The folder must be closed to others. A socket file
 * that a dead process left is replaced, once it is proven that nobody listens.
 * @throws daemon.already_running, config.invalid
 */
export async function listenUnix(api: HostApi, path: string): Promise<Listener> {
  await checkFolder(dirname(path));
  const server = newServer(
    api,
    () => ({ kind: "unix" }),
    () => null,
  );
  try {
    await listen(server, { path });
  } catch (caught) {
    if (errnoOf(caught) !== "EADDRINUSE") throw caught;
    await removeDead(path);
    await listen(server, { path });
  }
  await chmod(path, 0o600);
  return toListener(server, path, 0);
}

/**
 * Serves the API on loopback. A default port that is taken is replaced by the one that stood in for it last time, so
 * that open pages find their daemon again, else by a free one; a configured one is an error.
 * @throws daemon.port_taken
 */
export async function listenTcp(
  api: HostApi,
  opts: {
    readonly host: "127.0.0.1";
    readonly port: number;
    readonly configured: boolean;
    readonly last?: number | null;
  },
): Promise<Listener> {
  let port = opts.port;
  const judge = (incoming: IncomingMessage) => {
    const { method = "", url = "", rawHeaders } = incoming;
    return api.judge({ method, target: url, rawHeaders }, port);
  };
  const viaOf = ({ method = "", url = "" }: IncomingMessage): Via => ({
    kind: "tcp",
    access: accessOf({ method, target: url }),
  });
  const server = newServer(api, viaOf, judge);
  server.on("upgrade", (incoming, socket, head) => {
    const { method = "", url = "" } = incoming;
    const refused = judge(incoming) ?? (accessOf({ method, target: url }) === "terminal" ? null : noSocket());
    if (refused === null) return api.terminals.upgrade(incoming, socket, head);
    api.log.debug({ op: `upgrade ${url}`, code: refused.code }, "request refused");
    refuseUpgrade(socket, statusOf(refused.code));
  });
  try {
    await listen(server, { host: opts.host, port });
  } catch (caught) {
    if (errnoOf(caught) !== "EADDRINUSE") throw caught;
    if (opts.configured) throw portTaken(opts.port, caught);
    await listenInstead(server, opts.host, opts.last ?? 0);
  }
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : port;
  return toListener(server, `http://${opts.host}:${port}`, port);
}

async function listenInstead(server: Server, host: string, last: number): Promise<void> {
  try {
    await listen(server, { host, port: last });
  } catch (caught) {
    if (errnoOf(caught) !== "EADDRINUSE" || last === 0) throw caught;
    await listen(server, { host, port: 0 });
  }
}

function newServer(
  api: HostApi,
  viaOf: (incoming: IncomingMessage) => Via,
  judge: (incoming: IncomingMessage) => AppError | null,
): Server {
  // Global Request and Response stay Node's own: other parts of the process use them.
  const forward = getRequestListener(
    (request, bindings) => {
      const { incoming, outgoing } = bindings as HttpBindings;
      return api.app.fetch(request, { incoming, outgoing, via: viaOf(incoming) });
    },
    { overrideGlobalObjects: false, hostname: "localhost" },
  );
  const answer: RequestListener = (incoming, outgoing) => {
    const refused = judge(incoming);
    if (refused === null) {
      void forward(incoming, outgoing);
      return;
    }
    const requestId = newId();
    api.log.debug({ op: `${incoming.method} ${incoming.url}`, requestId, code: refused.code }, "request refused");
    const { status, headers, body } = toProblemParts(refused, requestId);
    // Whoever is refused gets no second request on this connection, and no ear for a body.
    outgoing.writeHead(status, { ...headers, connection: "close", "content-length": Buffer.byteLength(body) });
    outgoing.end(body);
  };
  return createServer(
    { maxHeaderSize: HEADERS_MAX_BYTES, headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    answer,
  );
}

function listen(
  server: Server,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...where }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function toListener(server: Server, address: string, port: number): Listener {
  let closing: Promise<void> | null = null;
  const close = (opts: { readonly graceMs: number }): Promise<void> => {
    closing ??= new Promise<void>((resolve) => {
      const cut = setTimeout(() => server.closeAllConnections(), opts.graceMs);
      // A connection that becomes idle after `close` would be kept for its next request.
      const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
      server.close(() => {
        clearTimeout(cut);
        clearInterval(sweep);
        resolve();
      });
    });
    return closing;
  };
  return { address, port, close, [Symbol.asyncDispose]: () => close({ graceMs: DISPOSE_GRACE_MS }) };
}

async function checkFolder(dir: string): Promise<void> {
  const found = await stat(dir);
  if ((found.mode & 0o077) === 0 && found.uid === process.getuid?.()) return;
  throw new AppError({
    code: "config.invalid",
    message: `the socket's folder ${dir} is open to other users`,
    hint: `run: chmod 700 ${dir}`,
  });
}

/** Removes the socket file of a dead process. @throws daemon.already_running, config.invalid */
async function removeDead(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found !== null && !found.isSocket()) {
    throw new AppError({ code: "config.invalid", message: `${path} is not a socket`, hint: "move it away" });
  }
  if (await isAnswered(path)) {
    throw new AppError({
      code: "daemon.already_running",
      message: `another laned listens on ${path}`,
      hint: "see lane status; stop it with lane down",
    });
  }
  await unlink(path).catch((caught: unknown) => {
    if (errnoOf(caught) !== "ENOENT") throw caught;
  });
}

/** Only a refused connection proves that nobody listens. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(!["ECONNREFUSED", "ENOENT"].includes(errnoOf(error) ?? "")));
  });
}

function noSocket(): AppError {
  return new AppError({ code: "request.not_found", message: "there is no WebSocket at this address" });
}

function portTaken(port: number, cause: unknown): AppError {
  return new AppError({
    code: "daemon.port_taken",
    message: `port ${port} is configured for the page and in use by another program`,
    hint: "stop that program, or set api.port (LANEKEEPER_API_PORT) to another one",
    details: { port },
    cause,
  });
}
