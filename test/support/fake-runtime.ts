import { randomBytes } from "node:crypto";
import { AppError, type ErrorCode, throwIfAborted } from "../../internal/base/index.ts";
import { type EngineEvent, INSTALL_LABEL, type ObservedContainer, parseLabels } from "../../internal/lane/index.ts";
import type { CreateContainer, EngineFacts, LaneRuntime } from "../../internal/supervisor/ports.ts";
import { createdContainer, summaryOf } from "./fake-container.ts";
import { FakeResources } from "./fake-resources.ts";

type Method = keyof LaneRuntime;
type Options = { readonly signal?: AbortSignal | undefined };
type Watch = Parameters<LaneRuntime["watchEvents"]>[0];

interface Subscriber {
  readonly watch: Watch;
  readonly fail: (error: Error) => void;
}

/** One call the fake has seen. */
export interface FakeCall {
  readonly method: Method;
  /** Container id or name, network, volume or image reference; empty where there is none. */
  readonly target: string;
}

const FACTS: EngineFacts = {
  version: "4.3.1",
  rootless: false,
  selinux: false,
  cgroups: "v1",
  limitsEffective: true,
  networkBackend: "netavark",
  address: "unix:///fake/podman.sock",
};

/** Ports are drawn from here on; a port is never drawn twice. */
const FIRST_PORT = 40_000;

/**
 * {@link LaneRuntime} in memory, held to the same contract as real Podman by `test/integration/podman/contract.test.ts`.
 * The knobs below make it fail as Podman was seen to fail. Nothing in it waits for time: what is slow is slow until the
 * test lets it go on.
 */
export class FakeRuntime implements LaneRuntime {
  /** Every call, in order. */
  readonly calls: FakeCall[] = [];
  /** Live processes: pid → start time. What a host view would see. */
  readonly processes = new Map<number, number>();
  /** Reference → id. Remove an entry, and containers cannot be created from that id any more. */
  readonly images = new Map<string, string>();
  readonly #containers = new Map<string, ObservedContainer>();
  readonly #logs = new Map<string, string[]>();
  readonly #resources = new FakeResources();
  readonly #failures = new Map<Method, Error[]>();
  readonly #gates = new Map<Method, Promise<void>>();
  readonly #takenPorts = new Set<number>();
  readonly #missingPaths = new Set<string>();
  readonly #subscribers = new Set<Subscriber>();
  #down: string | null = null;
  #nextPort = FIRST_PORT;
  #nextPid = 100_000;

  // ---- knobs

  /** The next call of `method` (after those already queued) rejects with `error`, without any effect. */
  failNext(method: Method, error: Error): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), error]);
  }

  /** Calls of `method` wait before they take effect, until the returned function is called. */
  hold(method: Method): () => void {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#gates.set(method, gate);
    return () => {
      if (this.#gates.get(method) === gate) this.#gates.delete(method);
      release();
    };
  }

  /** The engine does not answer, and its event streams break; `null` brings it back. */
  setUnavailable(reason: string | null): void {
    this.#down = reason;
    if (reason !== null) this.breakEvents();
  }

  /** Breaks the event streams only (P13). */
  breakEvents(): void {
    for (const { fail } of [...this.#subscribers]) fail(unavailable("the event stream broke"));
  }

  /** The container is gone with its process, and no event tells of it. */
  vanish(idOrName: string): void {
    const { id } = this.#get(idOrName);
    this.#endProcesses(id);
    this.#containers.delete(id);
  }

  /** The container's main process ends. */
  die(idOrName: string, exitCode: number, opts: { readonly oomKilled?: boolean } = {}): void {
    const { id } = this.#get(idOrName);
    this.#endProcesses(id);
    this.#change(id, { status: "exited", pid: 0, conmonPid: 0, exitCode, oomKilled: opts.oomKilled ?? false });
    this.#emit("died", id);
    this.#emit("cleanup", id);
  }

  /** conmon is killed: the container runs on, inspect shows no difference, and no exit will ever be seen (P12). */
  loseMonitor(idOrName: string): void {
    this.processes.delete(this.#get(idOrName).conmonPid);
  }

  pause(idOrName: string): void {
    const { id } = this.#get(idOrName);
    this.#change(id, { status: "paused" });
    this.#emit("pause", id);
  }

  /** Changes what inspect shows, as a container altered by hand would. */
  alter(idOrName: string, change: Partial<ObservedContainer>): void {
    this.#change(this.#get(idOrName).id, change);
  }

  /** All containers as they are, without a call. */
  containers(): readonly ObservedContainer[] {
    return this.#all();
  }

  /** A container that we did not create. */
  addContainer(container: ObservedContainer): void {
    this.#containers.set(container.id, container);
  }

  /** Someone else listens on this host port. */
  occupyPort(port: number): void {
    this.#takenPorts.add(port);
  }

  releasePort(port: number): void {
    this.#takenPorts.delete(port);
  }

  /** A path of the host that is not there: mounting it fails. */
  removePath(path: string): void {
    this.#missingPaths.add(path);
  }

  /** Lines of the container's own output. */
  writeLog(idOrName: string, ...lines: readonly string[]): void {
    this.#logs.get(this.#get(idOrName).id)?.push(...lines);
  }

  // ---- LaneRuntime

  async facts(opts: Options): Promise<EngineFacts> {
    await this.#enter("facts", "", opts);
    return FACTS;
  }

  async listContainers(opts: Options & { readonly install: string }) {
    await this.#enter("listContainers", opts.install, opts);
    return [...this.#containers.values()].filter((c) => c.rawLabels[INSTALL_LABEL] === opts.install).map(summaryOf);
  }

  async inspectContainer(idOrName: string, opts: Options) {
    await this.#enter("inspectContainer", idOrName, opts);
    return this.#find(idOrName);
  }

  async createContainer(create: CreateContainer, opts: Options) {
    await this.#enter("createContainer", create.name, opts);
    const { spec, name } = create;
    if (this.#find(name)) throw refusal("engine.conflict", `the name ${name} is in use`);
    if (![...this.images.values()].includes(spec.image.id)) throw refusal("engine.image_missing", spec.image.id);
    this.#checkPaths(createdContainer({ id: "", create, hostPorts: [] }));
    const id = randomBytes(32).toString("hex");
    const hostPorts = spec.network.ports.map(() => this.#nextPort++);
    this.#containers.set(id, createdContainer({ id, create, hostPorts }));
    this.#logs.set(id, []);
    this.#emit("create", id);
    return { id };
  }

  async startContainer(id: string, opts: Options): Promise<void> {
    await this.#enter("startContainer", id, opts);
    const seen = this.#get(id);
    if (seen.status === "running") return;
    if (seen.status === "paused" || seen.status === "stopping") throw improper(id, seen.status);
    this.#checkPaths(seen);
    const taken = seen.ports.find((port) => this.#takenPorts.has(port.hostPort));
    if (taken) throw refusal("engine.port_in_use", `address already in use: ${taken.hostPort}`);
    const [pid, conmonPid] = [this.#spawn(), this.#spawn()];
    this.#change(seen.id, { status: "running", pid, conmonPid, startedAtMs: Date.now(), exitCode: null });
    this.#emit("init", seen.id);
    this.#emit("start", seen.id);
  }

  async stopContainer(id: string, opts: Options & { readonly graceMs: number }): Promise<void> {
    await this.#enter("stopContainer", id, opts);
    const seen = this.#find(id);
    if (seen?.status === "paused") throw improper(id, seen.status);
    if (seen?.status !== "running") return;
    // Without its monitor nobody records the end: it stays `stopping`, and its process may live on (P11, P12).
    if (!this.processes.has(seen.conmonPid)) return this.#change(seen.id, { status: "stopping" });
    this.die(seen.id, 143);
  }

  async removeContainer(id: string, opts: Options): Promise<void> {
    await this.#enter("removeContainer", id, opts);
    const seen = this.#find(id);
    if (!seen) return;
    if (seen.status === "running" || seen.status === "paused") this.die(seen.id, 137);
    this.#endProcesses(seen.id);
    this.#emit("remove", seen.id);
    this.#containers.delete(seen.id);
  }

  async clearName(name: string, opts: Options): Promise<void> {
    await this.#enter("clearName", name, opts);
  }

  async unpauseContainer(id: string, opts: Options): Promise<void> {
    await this.#enter("unpauseContainer", id, opts);
    const seen = this.#get(id);
    if (seen.status !== "paused") throw improper(id, seen.status);
    this.#change(seen.id, { status: "running" });
    this.#emit("unpause", seen.id);
  }

  async containerLogs(id: string, opts: Options & { readonly lines: number }): Promise<readonly string[]> {
    await this.#enter("containerLogs", id, opts);
    const seen = this.#find(id);
    return seen ? (this.#logs.get(seen.id) ?? []).slice(-opts.lines) : [];
  }

  async observeDisk(names: Parameters<LaneRuntime["observeDisk"]>[0], opts: Options) {
    await this.#enter("observeDisk", names.volume, opts);
    return { containerBytes: null, volumePath: null };
  }

  async ensureNetwork(network: Parameters<LaneRuntime["ensureNetwork"]>[0], opts: Options): Promise<void> {
    await this.#enter("ensureNetwork", network.name, opts);
    this.#resources.add("network", network);
  }

  async removeNetwork(name: string, opts: Options): Promise<void> {
    await this.#enter("removeNetwork", name, opts);
    if (this.#all().some((c) => c.networks.includes(name))) throw refusal("engine.request_failed", `${name} is in use`);
    this.#resources.remove("network", name);
  }

  async listNetworks(opts: Options & { readonly install: string }) {
    await this.#enter("listNetworks", opts.install, opts);
    return this.#resources.list("network", opts.install);
  }

  async ensureVolume(volume: Parameters<LaneRuntime["ensureVolume"]>[0], opts: Options): Promise<void> {
    await this.#enter("ensureVolume", volume.name, opts);
    this.#resources.add("volume", volume);
  }

  async removeVolume(name: string, opts: Options): Promise<void> {
    await this.#enter("removeVolume", name, opts);
    const user = this.#all().find((c) => c.mounts.some((m) => m.kind === "volume" && m.source === name));
    if (user) throw refusal("engine.conflict", `the volume ${name} is used by ${user.name}`);
    this.#resources.remove("volume", name);
  }

  async listVolumes(opts: Options & { readonly install: string }) {
    await this.#enter("listVolumes", opts.install, opts);
    return this.#resources.list("volume", opts.install);
  }

  async findImage(reference: string, opts: Options) {
    await this.#enter("findImage", reference, opts);
    const id = this.images.get(reference) ?? [...this.images.values()].find((known) => known === reference);
    return id ? { id } : null;
  }

  async watchEvents(watch: Watch): Promise<void> {
    await this.#enter("watchEvents", watch.install, watch);
    if (this.#down !== null) throw unavailable(this.#down);
    watch.onOpen();
    await new Promise<void>((resolve, reject) => {
      const subscriber: Subscriber = { watch, fail: (error) => end(() => reject(error)) };
      const onAbort = () => end(resolve);
      const end = (settle: () => void) => {
        this.#subscribers.delete(subscriber);
        watch.signal.removeEventListener("abort", onAbort);
        settle();
      };
      this.#subscribers.add(subscriber);
      watch.signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  // ---- inside

  async #enter(method: Method, target: string, { signal }: Options): Promise<void> {
    this.calls.push({ method, target });
    throwIfAborted(signal);
    const gate = this.#gates.get(method);
    if (gate) await Promise.race(signal ? [gate, aborted(signal)] : [gate]);
    throwIfAborted(signal);
    if (this.#down !== null) throw unavailable(this.#down);
    const failure = this.#failures.get(method)?.shift();
    if (failure) throw failure;
  }

  #all(): ObservedContainer[] {
    return [...this.#containers.values()];
  }

  #find(idOrName: string): ObservedContainer | null {
    return this.#containers.get(idOrName) ?? this.#all().find((c) => c.name === idOrName) ?? null;
  }

  #get(idOrName: string): ObservedContainer {
    const found = this.#find(idOrName);
    if (found) return found;
    throw refusal("engine.not_found", `no container ${idOrName}`);
  }

  #change(id: string, change: Partial<ObservedContainer>): void {
    const next = { ...this.#get(id), ...change };
    this.#containers.set(id, { ...next, labels: parseLabels(next.rawLabels) });
  }

  #checkPaths(container: ObservedContainer): void {
    const missing = container.mounts.find((m) => m.kind === "bind" && this.#missingPaths.has(m.source));
    if (missing) throw refusal("engine.bad_mount", `${missing.source} is not there`);
  }

  #spawn(): number {
    this.#nextPid += 1;
    this.processes.set(this.#nextPid, this.#nextPid * 7);
    return this.#nextPid;
  }

  #endProcesses(id: string): void {
    const { pid, conmonPid } = this.#get(id);
    this.processes.delete(pid);
    this.processes.delete(conmonPid);
  }

  #emit(action: string, id: string): void {
    const { name, rawLabels } = this.#get(id);
    const event: EngineEvent = { action, containerId: id, containerName: name, atMs: Date.now() };
    for (const { watch } of [...this.#subscribers]) {
      if (rawLabels[INSTALL_LABEL] === watch.install) watch.onEvent(event);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function unavailable(reason: string): AppError {
  return new AppError({ code: "engine.unavailable", message: reason, retry: "retryable" });
}

function refusal(code: ErrorCode, message: string): AppError {
  return new AppError({ code, message });
}

function improper(id: string, status: string): AppError {
  return refusal("engine.request_failed", `container ${id.slice(0, 12)} is ${status}: container state improper`);
}
