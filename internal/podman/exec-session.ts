import { request } from "node:http";
import type { Duplex } from "node:stream";
import * as z from "zod";
import { AppError, abortReason, toError } from "../base/index.ts";
import { createLibpodClient, LIBPOD_PREFIX, type LibpodClient, statusError } from "./http-client.ts";
import { readTail } from "./output-tail.ts";
import type { CallOptions } from "./podman-runtime.ts";

/** In characters. */
export interface ExecSize {
  readonly cols: number;
  readonly rows: number;
}

/** A process to be started in a running container. */
export interface ExecRequest {
  readonly containerId: string;
  readonly argv: readonly string[];
  /** On top of the container's own. */
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workdir: string;
}

/** A process in a container with a terminal of its own. */
export interface ExecSession {
  /** The terminal's other side. Ends with the process; destroying it leaves the process alone. */
  readonly stream: Duplex;
  resize(size: ExecSize, opts: CallOptions): Promise<void>;
  /** Null while the process runs, and when the engine has forgotten it. */
  exitCode(opts: CallOptions): Promise<number | null>;
}

/** Processes in running containers, by the engine's own exec sessions. */
export interface ExecClient {
  /** @throws engine.* */
  openTerminal(wanted: ExecRequest, opts: CallOptions): Promise<ExecSession>;
  /** Runs it without a terminal and without input until it ends; its exit code, null when the engine does not say. */
  run(wanted: ExecRequest, opts: CallOptions & { readonly deadlineMs: number }): Promise<number | null>;
  /** As {@link run}, as long as the signal allows, with the last lines of all that it writes. */
  capture(
    wanted: ExecRequest,
    opts: CallOptions,
  ): Promise<{ readonly exitCode: number | null; readonly tail: readonly string[] }>;
  close(): Promise<void>;
}

const QUERY_DEADLINE_MS = 10_000;
/** Podman starts a process of its own for each. */
const CREATE_DEADLINE_MS = 30_000;

const createdSchema = z.object({ Id: z.string() });
const inspectSchema = z.object({ Running: z.boolean(), ExitCode: z.number() });
/** No keys detach: a person's ^P ^Q belongs to the program in the terminal. */
const NO_DETACH_KEYS = "";

/** @param address `unix:///path/to/podman.sock` */
export function createExecClient(address: string): ExecClient {
  const socketPath = address.replace(/^unix:\/\//, "");
  const client = createLibpodClient(socketPath, address);
  const create = (wanted: ExecRequest, tty: boolean, opts: CallOptions) => createExec(client, wanted, tty, opts);
  return {
    async openTerminal(wanted, opts) {
      const id = await create(wanted, true, opts);
      const stream = await attach(socketPath, id, opts);
      return {
        stream,
        exitCode: (call) => exitCodeOf(client, id, call),
        async resize({ cols, rows }, call) {
          const path = `/exec/${id}/resize?h=${rows}&w=${cols}`;
          const act = "resize a terminal";
          const answer = await client.request({ method: "POST", path, act, deadlineMs: QUERY_DEADLINE_MS, ...call });
          if (answer.status >= 300) throw statusError({ act, method: "POST", path }, answer.status, answer.text);
        },
      };
    },
    async run(wanted, { deadlineMs, signal }) {
      const id = await create(wanted, false, { signal });
      const path = `/exec/${id}/start`;
      const act = `run a command in container ${wanted.containerId.slice(0, 12)}`;
      const body = { Detach: false, Tty: false };
      const answer = await client.request({ method: "POST", path, body, act, deadlineMs, signal });
      if (answer.status >= 300) throw statusError({ act, method: "POST", path }, answer.status, answer.text);
      return exitCodeOf(client, id, { signal });
    },
    async capture(wanted, opts) {
      const id = await create(wanted, false, opts);
      const path = `/exec/${id}/start`;
      const act = `run ${wanted.argv[0]} in container ${wanted.containerId.slice(0, 12)}`;
      const tail = await readTail(
        await client.stream({ method: "POST", path, body: { Detach: false, Tty: false }, act, signal: opts.signal }),
      );
      return { exitCode: await exitCodeOf(client, id, opts), tail };
    },
    close: () => client.close(),
  };
}

async function createExec(client: LibpodClient, wanted: ExecRequest, tty: boolean, opts: CallOptions): Promise<string> {
  const path = `/containers/${wanted.containerId}/exec`;
  const act = `prepare a command in container ${wanted.containerId.slice(0, 12)}`;
  const body = {
    AttachStdin: tty,
    AttachStdout: true,
    AttachStderr: true,
    Tty: tty,
    DetachKeys: NO_DETACH_KEYS,
    Cmd: wanted.argv,
    Env: Object.entries(wanted.env).map(([name, value]) => `${name}=${value}`),
    User: wanted.user,
    WorkingDir: wanted.workdir,
  };
  const answer = await client.request({ method: "POST", path, body, act, deadlineMs: CREATE_DEADLINE_MS, ...opts });
  if (answer.status !== 201) throw statusError({ act, method: "POST", path }, answer.status, answer.text);
  return createdSchema.parse(JSON.parse(answer.text)).Id;
}

async function exitCodeOf(client: LibpodClient, id: string, opts: CallOptions): Promise<number | null> {
  const path = `/exec/${id}/json`;
  const act = "look at a terminal";
  const answer = await client.request({ method: "GET", path, act, deadlineMs: QUERY_DEADLINE_MS, ...opts });
  if (answer.status !== 200) return null;
  const { Running, ExitCode } = inspectSchema.parse(JSON.parse(answer.text));
  return Running ? null : ExitCode;
}

/** Starts the exec session, and takes the connection over: it becomes the terminal's two directions. */
function attach(socketPath: string, id: string, opts: CallOptions): Promise<Duplex> {
  const body = JSON.stringify({ Detach: false, Tty: true });
  return new Promise<Duplex>((resolve, reject) => {
    const call = request({
      socketPath,
      method: "POST",
      path: `${LIBPOD_PREFIX}/exec/${id}/start`,
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        connection: "Upgrade",
        upgrade: "tcp",
      },
      ...(opts.signal ? { signal: opts.signal } : {}),
    });
    call.once("upgrade", (_, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    call.once("response", (answer) => {
      answer.resume();
      reject(
        new AppError({
          code: "engine.request_failed",
          message: `start a terminal failed: the engine answered ${answer.statusCode}`,
          hint: "see: lane doctor",
        }),
      );
    });
    call.once("error", (caught) => {
      if (opts.signal?.aborted) return reject(abortReason(opts.signal));
      const cause = toError(caught);
      reject(
        new AppError({
          code: "engine.unavailable",
          message: `start a terminal: the container engine does not answer (${cause.message})`,
          hint: "see: lane doctor",
          retry: "retryable",
          cause,
        }),
      );
    });
    call.end(body);
  });
}
