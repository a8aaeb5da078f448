import type { Logger } from "pino";
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
      folders: await this.#folders(),
      monitors: await this.#monitors(containers, opts),
      strayVolumes: await this.#strayVolumes(opts),
    };
    const count = report.containers.length + report.networks.length + report.folders.length + report.monitors.length;
    if (count > 0) this.#deps.log.info({ report }, "janitor removed leftovers");
    return report;
  }

  async #containers(containers: readonly ContainerSummary[], opts: CallOptions): Promise<string[]> {
    const strays = containers.filter((c) => c.labels === null || !this.#deps.isKnown(c.labels.lane));
    const removed: string[] = [];
    for (const stray of strays) {
      if (!this.#ripe(stray.id)) continue;
      await this.#deps.runtime.removeContainer(stray.id, opts);
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
      await this.#deps.runtime.removeNetwork(network.name, opts);
      removed.push(network.name);
    }
    return removed;
  }

  async #folders(): Promise<string[]> {
    const removed: string[] = [];
    for (const laneId of await this.#deps.boot.list()) {
      if (this.#deps.isKnown(laneId) || !this.#ripe(`folder ${laneId}`)) continue;
      await this.#deps.boot.remove(laneId);
      removed.push(laneId);
    }
    return removed;
  }

  /** A monitor whose container the engine does not know holds a parked or running process that no one would end. */
  async #monitors(containers: readonly ContainerSummary[], opts: CallOptions): Promise<number[]> {
    const known = new Set(containers.map((c) => c.id));
    const removed: number[] = [];
    for (const monitor of await this.#deps.host.listMonitors(this.#deps.install)) {
      if (known.has(monitor.containerId) || !this.#ripe(`monitor ${monitor.pid} ${monitor.startTime}`)) continue;
      await this.#deps.host.reapMonitor(monitor, opts);
      removed.push(monitor.pid);
    }
    return removed;
  }

  async #strayVolumes(opts: CallOptions): Promise<string[]> {
    const volumes = await this.#deps.runtime.listVolumes({ ...opts, install: this.#deps.install });
    return volumes.filter((v) => v.lane === null || !this.#deps.isKnown(v.lane)).map((v) => v.name);
  }

  #ripe(key: string): boolean {
    const now = this.#deps.nowMs();
    const first = this.#firstSeen.get(key) ?? now;
    this.#firstSeen.set(key, first);
    return now - first >= this.#deps.graceMs;
  }
}
