import type { Logger } from "pino";
import { hasCode } from "../base/index.ts";
import type { ContainerSummary } from "../lane/index.ts";
import type { BootFolders, CallOptions, HostView, LaneRuntime } from "./ports.ts";

/** What the janitor works with. */
export interface JanitorDeps {
  readonly install: string;
  readonly runtime: LaneRuntime;
  readonly boot: BootFolders;
  readonly host: HostView;
  readonly log: Logger;
  /** Is this lane on record? */
  readonly isKnown: (laneId: string) => boolean;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly graceMs: number;
}

/** What one pass removed. */
export interface JanitorReport {
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  readonly folders: readonly string[];
  readonly monitors: readonly number[];
  /** Volumes of no known lane: they may hold work, so they are named and left. */
  readonly strayVolumes: readonly string[];
}

/**
 * Removes what an unclean stop left behind, of this installation only: containers of no known lane that have been seen
 * for `graceMs`, networks and staging folders of no known lane, and monitors whose container the engine has forgotten.
 */
export class Janitor {
  readonly #deps: JanitorDeps;
  /** First sighting of each stray, by id; shared over passes. */
  readonly #firstSeen: Map<string, number>;
  readonly #seen = new Set<string>();

  constructor(deps: JanitorDeps, firstSeen: Map<string, number>) {
    this.#deps = deps;
    this.#firstSeen = firstSeen;
  }

  /** One pass over everything. */
  async sweep(containers: readonly ContainerSummary[], opts: CallOptions): Promise<JanitorReport> {
    const removed = await this.#containers(containers, opts);
    const report: JanitorReport = {
      containers: removed,
      networks: await this.#networks(opts),
      folders: await this.#folders(opts),
      monitors: await this.#monitors(containers, opts),
      strayVolumes: await this.#strayVolumes(opts),
    };
    // What went by itself is no stray any more.
    for (const key of this.#firstSeen.keys()) if (!this.#seen.has(key)) this.#firstSeen.delete(key);
    this.#seen.clear();
    const count = report.containers.length + report.networks.length + report.folders.length + report.monitors.length;
    if (count > 0) this.#deps.log.info({ report }, "janitor removed leftovers");
    return report;
  }

  async #containers(containers: readonly ContainerSummary[], opts: CallOptions): Promise<string[]> {
    const strays = containers.filter((c) => c.labels === null || !this.#deps.isKnown(c.labels.lane));
    const removed: string[] = [];
    for (const stray of strays) {
      if (!this.#ripe(stray.id)) continue;
      if (!(await this.#end(stray.name, opts, () => this.#deps.runtime.removeContainer(stray.id, opts)))) continue;
      this.#firstSeen.delete(stray.id);
      removed.push(stray.name);
    }
    return removed;
  }

  async #networks(opts: CallOptions): Promise<string[]> {
    const removed: string[] = [];
    for (const network of await this.#deps.runtime.listNetworks({ ...opts, install: this.#deps.install })) {
      if (network.lane !== null && this.#deps.isKnown(network.lane)) continue;
      if (!this.#ripe(`network ${network.name}`)) continue;
      const isGone = await this.#end(network.name, opts, () => this.#deps.runtime.removeNetwork(network.name, opts));
      if (isGone) removed.push(network.name);
    }
    return removed;
  }

  async #folders(opts: CallOptions): Promise<string[]> {
    const removed: string[] = [];
    for (const laneId of await this.#deps.boot.list()) {
      if (this.#deps.isKnown(laneId) || !this.#ripe(`folder ${laneId}`)) continue;
      if (await this.#end(`folder ${laneId}`, opts, () => this.#deps.boot.remove(laneId))) removed.push(laneId);
    }
    return removed;
  }

  /** A monitor whose container the engine does not know holds a parked or running process that no one would end. */
  async #monitors(containers: readonly ContainerSummary[], opts: CallOptions): Promise<number[]> {
    const known = new Set(containers.map((c) => c.id));
    const removed: number[] = [];
    for (const monitor of await this.#deps.host.listMonitors(this.#deps.install)) {
      if (known.has(monitor.containerId)) continue;
      // Without our label, yet with a name like ours: somebody else's, and none of our business.
      if ((await this.#deps.runtime.inspectContainer(monitor.containerId, opts)) !== null) continue;
      if (!this.#ripe(`monitor ${monitor.pid} ${monitor.startTime}`)) continue;
      const isGone = await this.#end(`monitor ${monitor.pid}`, opts, () => this.#deps.host.reapMonitor(monitor, opts));
      if (isGone) removed.push(monitor.pid);
    }
    return removed;
  }

  async #strayVolumes(opts: CallOptions): Promise<string[]> {
    const volumes = await this.#deps.runtime.listVolumes({ ...opts, install: this.#deps.install });
    return volumes.filter((v) => v.lane === null || !this.#deps.isKnown(v.lane)).map((v) => v.name);
  }

  /** Ends one leftover. One that will not go keeps none of the others; it is tried again at the next pass. */
  async #end(what: string, { signal }: CallOptions, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (caught) {
      if (signal?.aborted || hasCode(caught, "engine.unavailable")) throw caught;
      this.#deps.log.warn({ err: caught, what }, "leftover not removed");
      return false;
    }
  }

  #ripe(key: string): boolean {
    const now = this.#deps.nowMs();
    const first = this.#firstSeen.get(key) ?? now;
    this.#firstSeen.set(key, first);
    this.#seen.add(key);
    return now - first >= this.#deps.graceMs;
  }
}
