import { basename } from "node:path";
import type * as z from "zod";
import { AppError, hasCode } from "../base/index.ts";
import { type EngineEvent, INSTALL_LABEL, type LaneSpec, parseOwner } from "../lane/index.ts";
import { demultiplex } from "./demultiplex.ts";
import { type Asker, explainCreate, explainStart } from "./explain-failure.ts";
import { createLibpodClient, type LibpodAnswer, type LibpodRequest, statusError } from "./http-client.ts";
import { parseInspect, parseJson, parseList } from "./parse-inspect.ts";
import { reapNetworks } from "./reap-network.ts";
import { removeRemains } from "./remove-remains.ts";
import {
  createdSchema,
  imageSchema,
  infoSchema,
  networksSchema,
  removedSchema,
  runtimeSchema,
  sizesSchema,
  volumeSchema,
  volumesSchema,
} from "./reply-schemas.ts";
import { toCreateBody } from "./to-create-body.ts";
import { parseEvents } from "./watch-events.ts";

/** How long each kind of call may take, ms (guarantees page, section 2). */
const DEADLINE_MS = { query: 10_000, create: 60_000, start: 30_000, stopBeyondGrace: 15_000, remove: 30_000 } as const;

/** Options of every call that can wait. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What the engine is. */
export interface PodmanFacts {
  readonly version: string;
  readonly rootless: boolean;
  readonly selinux: boolean;
  readonly cgroups: string;
  readonly limitsEffective: boolean;
  readonly networkBackend: string;
  /** Where images and containers are stored. */
  readonly storage: string | null;
  readonly address: string;
}

/** An image on this machine. */
export interface FoundImage {
  /** 64 hex digits. */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A container engine behind the libpod API. Matches the ports of its consumers structurally. */
export type PodmanRuntime = ReturnType<typeof createPodmanRuntime>;

/** @param address `unix:///path/to/podman.sock` */
export function createPodmanRuntime(settings: { readonly address: string }) {
  const { address } = settings;
  const client = createLibpodClient(address.replace(/^unix:\/\//, ""), address);
  const call = async (ok: readonly number[], request: LibpodRequest): Promise<LibpodAnswer> => {
    const answer = await client.request(request);
    if (!ok.includes(answer.status)) throw statusError(request, answer.status, answer.text);
    return answer;
  };
  /** Created and not started yet: whether they got the runtime they asked for is looked at while their worker boots. */
  const unchecked = new Map<string, { readonly name: string; readonly spec: LaneSpec }>();
  const query = (act: string, path: string, opts: CallOptions, ok: readonly number[] = [200]) =>
    call(ok, { method: "GET", path, act, deadlineMs: DEADLINE_MS.query, signal: opts.signal });
  const post = (
    act: string,
    path: string,
    deadlineMs: number,
    opts: CallOptions,
    ok: readonly number[],
    body?: unknown,
  ) =>
    call(ok, { method: "POST", path, act, deadlineMs, signal: opts.signal, ...(body === undefined ? {} : { body }) });
  const asker =
    (opts: CallOptions): Asker =>
    (path) =>
      query("explain a failure", path, opts, [200, 204, 404]);
  const drop = (act: string, path: string, opts: CallOptions) =>
    call([200, 204, 404], { method: "DELETE", path, act, deadlineMs: DEADLINE_MS.remove, signal: opts.signal });
  const clear = (name: string, opts: CallOptions) =>
    removeRemains(name, { ask: asker(opts), drop: (path) => drop(`remove what is left of ${name}`, path, opts) });

  return {
    address,

    /** Throws engine.unavailable unless the service answers. */
    async ping(opts: CallOptions): Promise<void> {
      await query("ping", "/_ping", opts);
    },

    async facts(opts: CallOptions): Promise<PodmanFacts> {
      const info = parseJson(infoSchema, (await query("engine facts", "/info", opts)).text, "info");
      const { rootless, selinuxEnabled } = info.host.security;
      return {
        version: info.version.Version,
        rootless,
        selinux: selinuxEnabled,
        cgroups: info.host.cgroupVersion,
        limitsEffective: !rootless || info.host.cgroupVersion === "v2",
        networkBackend: info.host.networkBackend,
        storage: info.store?.graphRoot ?? null,
        address,
      };
    },

    async listContainers(opts: CallOptions & { readonly install: string }) {
      const filters = filterOf({ label: [`${INSTALL_LABEL}=${opts.install}`] });
      return parseList((await query("list containers", `/containers/json?all=true&filters=${filters}`, opts)).text);
    },

    async inspectContainer(idOrName: string, opts: CallOptions) {
      const path = `/containers/${encodeURIComponent(idOrName)}/json`;
      const answer = await query(`inspect container ${idOrName}`, path, opts, [200, 404]);
      return answer.status === 404 ? null : parseInspect(answer.text);
    },

    async createContainer(
      create: { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly spec: LaneSpec },
      opts: CallOptions,
    ): Promise<{ readonly id: string }> {
      const act = `create container ${create.name}`;
      const request = {
        method: "POST",
        path: "/containers/create",
        body: toCreateBody(create),
        act,
        deadlineMs: DEADLINE_MS.create,
        signal: opts.signal,
      } as const;
      let answer = await client.request(request);
      if (answer.status !== 201 && (await clear(create.name, opts))) answer = await client.request(request);
      if (answer.status !== 201) {
        throw await explainCreate(statusError(request, answer.status, answer.text), create, asker(opts));
      }
      const id = parseJson(createdSchema, answer.text, act).Id;
      unchecked.set(id, create);
      return { id };
    },

    /** Creates from a raw libpod body: trials and tests. */
    async createRaw(body: Readonly<Record<string, unknown>>, opts: CallOptions): Promise<{ readonly id: string }> {
      const act = `create container ${String(body.name)}`;
      return {
        id: parseJson(
          createdSchema,
          (await post(act, "/containers/create", DEADLINE_MS.create, opts, [201], body)).text,
          act,
        ).Id,
      };
    },

    async startContainer(id: string, opts: CallOptions): Promise<void> {
      const act = `start container ${id.slice(0, 12)}`;
      try {
        // 304: it runs already.
        await post(act, `/containers/${id}/start`, DEADLINE_MS.start, opts, [204, 304]);
      } catch (error) {
        throw hasCode(error, "engine.request_failed") ? await explainStart(error, id, asker(opts)) : error;
      }
      const create = unchecked.get(id);
      unchecked.delete(id);
      if (create) await checkRuntime(id, create, opts);
    },

    async stopContainer(id: string, opts: CallOptions & { readonly graceMs: number }): Promise<void> {
      const seconds = Math.ceil(opts.graceMs / 1000);
      const path = `/containers/${id}/stop?timeout=${seconds}`;
      await post(
        `stop container ${id.slice(0, 12)}`,
        path,
        opts.graceMs + DEADLINE_MS.stopBeyondGrace,
        opts,
        [204, 304, 404],
      );
    },

    async killContainer(id: string, opts: CallOptions & { readonly killSignal: string }): Promise<void> {
      await post(
        `kill container ${id.slice(0, 12)}`,
        `/containers/${id}/kill?signal=${opts.killSignal}`,
        DEADLINE_MS.start,
        opts,
        [204, 409, 404],
      );
    },

    async removeContainer(id: string, opts: CallOptions): Promise<void> {
      const act = `remove container ${id.slice(0, 12)}`;
      unchecked.delete(id);
      // A container that is half gone may not be inspectable; it can be removed all the same.
      const answered = await query(act, `/containers/${encodeURIComponent(id)}/json`, opts, [200, 404, 500]);
      const gone = answered.status === 200 ? parseInspect(answered.text) : null;
      const reap = async () => {
        if (gone) await reapNetworks(gone, asker(opts), opts);
      };
      // Of one whose start was cut off Podman knows nothing to take down: before the removal, as its answer may be lost.
      if (gone?.status === "created" || gone?.status === "configured") await reap();
      const answer = await drop(act, `/containers/${id}?force=true&timeout=0&v=false`, opts);
      // A 200 may still report a failure, whose text is lost on the way (Go marshals the error as {}).
      const failed = answer.status === 200 && parseJson(removedSchema, answer.text, act).some((one) => one.Err);
      if (failed && (await query(act, `/containers/${id}/exists`, opts, [204, 404])).status === 204) {
        throw new AppError({
          code: "engine.request_failed",
          message: `${act} failed: it is still there`,
          hint: `look at it: podman inspect ${id.slice(0, 12)}`,
          retry: "retryable",
        });
      }
      await reap();
    },

    /** Removes what a create that was cut off left under a name; never a container. Absent is fine. */
    async clearName(name: string, opts: CallOptions): Promise<void> {
      await clear(name, opts);
    },

    async pauseContainer(id: string, opts: CallOptions): Promise<void> {
      await post(`pause container ${id.slice(0, 12)}`, `/containers/${id}/pause`, DEADLINE_MS.start, opts, [204]);
    },

    async unpauseContainer(id: string, opts: CallOptions): Promise<void> {
      await post(`unpause container ${id.slice(0, 12)}`, `/containers/${id}/unpause`, DEADLINE_MS.start, opts, [204]);
    },

    /** Waits until the container has ended; its exit code. */
    async waitContainer(id: string, opts: CallOptions & { readonly deadlineMs: number }): Promise<number> {
      const answer = await post(
        `wait for container ${id.slice(0, 12)}`,
        `/containers/${id}/wait?condition=exited&condition=stopped&interval=20ms`,
        opts.deadlineMs,
        opts,
        [200],
      );
      return Number.parseInt(answer.text, 10);
    },

    async containerLogs(id: string, opts: CallOptions & { readonly lines: number }): Promise<readonly string[]> {
      const path = `/containers/${id}/logs?stdout=true&stderr=true&follow=false&tail=${opts.lines}`;
      const act = `logs of container ${id.slice(0, 12)}`;
      try {
        const request = { method: "GET", path, act, deadlineMs: DEADLINE_MS.query, signal: opts.signal } as const;
        const bytes = await client.download(request);
        return demultiplex(bytes).split("\n").filter(Boolean).slice(-opts.lines);
      } catch (error) {
        if (hasCode(error, "engine.not_found")) return [];
        throw error;
      }
    },

    async ensureNetwork(
      network: { readonly name: string; readonly isolate: boolean; readonly labels: Readonly<Record<string, string>> },
      opts: CallOptions,
    ): Promise<void> {
      const body = {
        name: network.name,
        driver: "bridge",
        dns_enabled: false,
        internal: false,
        labels: network.labels,
        ...(network.isolate ? { options: { isolate: "true" } } : {}),
      };
      // 409: it is there.
      await post(`create network ${network.name}`, "/networks/create", DEADLINE_MS.start, opts, [200, 201, 409], body);
    },

    async removeNetwork(name: string, opts: CallOptions): Promise<void> {
      await drop(`remove network ${name}`, `/networks/${encodeURIComponent(name)}?force=false`, opts);
    },

    async listNetworks(opts: CallOptions & { readonly install: string }) {
      const filters = filterOf({ label: [`${INSTALL_LABEL}=${opts.install}`] });
      const { text } = await query("list networks", `/networks/json?filters=${filters}`, opts);
      return parseJson(networksSchema, text, "networks").map((n) => ({
        name: n.name,
        lane: parseOwner(n.labels ?? {})?.lane ?? null,
      }));
    },

    async ensureVolume(
      volume: {
        readonly name: string;
        readonly labels: Readonly<Record<string, string>>;
        readonly owner: { readonly uid: number; readonly gid: number };
      },
      opts: CallOptions,
    ): Promise<void> {
      const { name, labels, owner } = volume;
      // Podman answers an existing name with 500: existence is asked for instead of read from that text.
      const path = `/volumes/${encodeURIComponent(name)}/exists`;
      const there = await query(`volume ${name}`, path, opts, [204, 404]);
      if (there.status === 204) return;
      // Left to itself, 4.3.1 gives a new volume to root, whatever user the container has (seen).
      const body = { Name: name, Label: labels, Options: { o: `uid=${owner.uid},gid=${owner.gid}` } };
      await post(`create volume ${name}`, "/volumes/create", DEADLINE_MS.start, opts, [201], body);
    },

    async observeDisk(
      names: { readonly container: string | null; readonly volume: string },
      opts: CallOptions,
    ): Promise<{ readonly containerBytes: number | null; readonly volumePath: string | null }> {
      const read = async <T>(path: string, schema: z.ZodType<T>): Promise<T | null> => {
        const answer = await query(`sizes of ${names.volume}`, path, opts, [200, 404]);
        return answer.status === 404 ? null : parseJson(schema, answer.text, "sizes");
      };
      const inspect = (id: string) => read(`/containers/${encodeURIComponent(id)}/json?size=true`, sizesSchema);
      const container = names.container === null ? null : await inspect(names.container);
      const volume = await read(`/volumes/${encodeURIComponent(names.volume)}/json`, volumeSchema);
      return { containerBytes: container?.SizeRw ?? null, volumePath: volume?.Mountpoint ?? null };
    },

    async removeVolume(name: string, opts: CallOptions): Promise<void> {
      // Never with force: that removes every container that uses the volume, whosever it is (seen on 4.3.1).
      await drop(`remove volume ${name}`, `/volumes/${encodeURIComponent(name)}`, opts);
    },

    async listVolumes(opts: CallOptions & { readonly install: string }) {
      const filters = filterOf({ label: [`${INSTALL_LABEL}=${opts.install}`] });
      const { text } = await query("list volumes", `/volumes/json?filters=${filters}`, opts);
      return (parseJson(volumesSchema, text, "volumes") ?? []).map((v) => ({
        name: v.Name,
        lane: parseOwner(v.Labels ?? {})?.lane ?? null,
      }));
    },

    /** The image's id and labels, or `null` when it is not there. */
    async findImage(reference: string, opts: CallOptions): Promise<FoundImage | null> {
      const answer = await query(
        `image ${reference}`,
        `/images/${encodeURIComponent(reference)}/json`,
        opts,
        [200, 404],
      );
      if (answer.status === 404) return null;
      const image = parseJson(imageSchema, answer.text, "image");
      return { id: image.Id.replace(/^sha256:/, ""), labels: image.Labels ?? {} };
    },

    async watchEvents(opts: {
      readonly install: string;
      readonly signal: AbortSignal;
      readonly onOpen: () => void;
      readonly onEvent: (event: EngineEvent) => void;
    }): Promise<void> {
      const filters = filterOf({ type: ["container"], label: [`${INSTALL_LABEL}=${opts.install}`] });
      const path = `/events?stream=true&filters=${filters}`;
      try {
        const chunks = await client.stream({ method: "GET", path, act: "watch events", signal: opts.signal });
        opts.onOpen();
        for await (const event of parseEvents(chunks)) opts.onEvent(event);
      } catch (error) {
        if (opts.signal.aborted) return;
        throw error;
      }
      if (!opts.signal.aborted) {
        throw new AppError({
          code: "engine.unavailable",
          message: "the engine ended its event stream",
          retry: "retryable",
        });
      }
    },

    close: () => client.close(),
  };

  /**
   * Podman before 2026 ignores the runtime that a create asks for (4.3.1: seen; podman issue 28429). A lane that was
   * meant for a sandbox must not run outside it unnoticed, so such a container is removed again: right after its start,
   * when nothing but our own worker can run in it.
   */
  async function checkRuntime(id: string, create: { name: string; spec: LaneSpec }, opts: CallOptions): Promise<void> {
    const wanted = create.spec.security.runtime;
    if (wanted === null) return;
    const { text } = await query(`inspect container ${create.name}`, `/containers/${id}/json`, opts);
    const given = parseJson(runtimeSchema, text, "inspect").OCIRuntime;
    if (basename(given) === basename(wanted)) return;
    await drop(`remove container ${create.name}`, `/containers/${id}?force=true&timeout=0`, {});
    throw new AppError({
      code: "engine.request_failed",
      message: `create container ${create.name}: the engine gave it the OCI runtime ${given} instead of ${wanted}`,
      hint: `the service at ${address} must have runtime = "${wanted}" below [engine] in its containers.conf; then: lane start`,
      details: { wanted, given },
    });
  }
}

function filterOf(filters: Readonly<Record<string, readonly string[]>>): string {
  return encodeURIComponent(JSON.stringify(filters));
}
