import { Pool } from "undici";
import type { CallOptions } from "./podman-cli.ts";

const PREFIX = "/v4.0.0/libpod";

/** An idle connection is kept so long, ms. */
const KEEP_MS = 2000;

/** The bare libpod calls, without anything of ours around them. */
export interface Libpod extends AsyncDisposable {
  create(body: Readonly<Record<string, unknown>>, opts: CallOptions): Promise<string>;
  start(id: string, opts: CallOptions): Promise<void>;
  inspect(id: string, opts: CallOptions): Promise<InspectedLane>;
  /** Kills and removes; absent is fine. */
  remove(idOrName: string, opts: CallOptions): Promise<void>;
  createNetwork(network: Readonly<Record<string, unknown>>, opts: CallOptions): Promise<void>;
  createVolume(volume: Readonly<Record<string, unknown>>, opts: CallOptions): Promise<void>;
}

/** What a bench looks at of a running container. */
export interface InspectedLane {
  readonly id: string;
  /** `http://127.0.0.1:PORT` of its only published port. */
  readonly endpoint: string;
  /** Main process on the host: the init. */
  readonly pid: number;
  readonly conmonPid: number;
}

interface RawInspect {
  readonly Id: string;
  readonly State: { readonly Pid: number; readonly ConmonPid: number };
  readonly HostConfig: { readonly PortBindings: Readonly<Record<string, readonly { readonly HostPort: string }[]>> };
}

/** One kept-alive pool on the engine's socket. @param address `unix:///path` */
export function createLibpod(address: string): Libpod {
  const pool = new Pool("http://d", {
    connect: { socketPath: address.replace(/^unix:\/\//, "") },
    connections: 8,
    // Well before the other side closes it: undici's own timers may be a second late.
    keepAliveTimeout: KEEP_MS,
    keepAliveMaxTimeout: KEEP_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const call = async (
    method: "GET" | "POST" | "DELETE",
    path: string,
    opts: CallOptions & { readonly ok: readonly number[]; readonly body?: unknown },
  ): Promise<string> => {
    const answer = await pool.request({
      method,
      path: PREFIX + path,
      ...(opts.body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(opts.body) }),
      ...(opts.signal ? { signal: opts.signal } : {}),
    });
    const text = await answer.body.text();
    if (opts.ok.includes(answer.statusCode)) return text;
    throw new Error(`libpod ${method} ${path}: ${answer.statusCode} ${text}`);
  };
  return {
    create: async (body, opts) =>
      (JSON.parse(await call("POST", "/containers/create", { ...opts, ok: [201], body })) as { Id: string }).Id,
    start: async (id, opts) => {
      await call("POST", `/containers/${id}/start`, { ...opts, ok: [204] });
    },
    inspect: async (id, opts) => {
      const raw = JSON.parse(await call("GET", `/containers/${id}/json`, { ...opts, ok: [200] })) as RawInspect;
      const port = Object.values(raw.HostConfig.PortBindings)[0]?.[0]?.HostPort;
      return {
        id: raw.Id,
        endpoint: `http://127.0.0.1:${port}`,
        pid: raw.State.Pid,
        conmonPid: raw.State.ConmonPid,
      };
    },
    remove: async (idOrName, opts) => {
      await call("DELETE", `/containers/${idOrName}?force=true&timeout=0`, { ...opts, ok: [200, 204, 404] });
    },
    createNetwork: async (body, opts) => {
      await call("POST", "/networks/create", { ...opts, ok: [200, 201], body });
    },
    createVolume: async (body, opts) => {
      await call("POST", "/volumes/create", { ...opts, ok: [201], body });
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}
