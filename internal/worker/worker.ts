import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Clock } from "../base/index.ts";
import { readBootFiles } from "./bootstrap.ts";
import { createFrontDoor } from "./front-door.ts";
import { chooseIdentity } from "./identity.ts";
import { createJobs, createPipePool, END_LADDER, type JobsDeps, type LadderStep, type PipePool } from "./jobs/index.ts";
import type { LinkServer } from "./link/link-server.ts";
import type { WorkerLog } from "./log.ts";
import type { Credentials } from "./placement/credentials.ts";
import { prepareState } from "./prepare-state.ts";
import { createGitGate, type GitGate } from "./private-git/git-gate.ts";
import type { HostGit } from "./private-git/lane-git.ts";
import { createHostCalls } from "./relay/host-calls.ts";
import { createRelay } from "./relay/relay.ts";
import { openSpool } from "./spool/index.ts";

/** What a worker is started with. */
export interface WorkerOptions {
  /** Folder with the host's bootstrap and secret. */
  readonly bootDir: string;
  /** The lane's volume. */
  readonly stateDir: string;
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly relayPort: number;
  /** Absolute path of util-linux `setpriv`. */
  readonly setpriv: string;
  /** The program that places credentials: it calls `runPlacer`, as the agent's user. */
  readonly placer: readonly string[];
  readonly worker: { readonly uid: number; readonly gid: number; readonly pid: number };
  /** The worker's own environment; only named variables of it reach jobs. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: WorkerLog;
  /** How jobs are ended; {@link END_LADDER} but in tests. */
  readonly ladder?: readonly LadderStep[] | undefined;
}

/** A worker that answers "ready". */
export interface RunningWorker {
  readonly port: number;
  readonly relayPort: number;
  /** Takes no more work, ends what runs, spools and sends the results, closes. About 8 s at most. */
  stop(): Promise<void>;
}

const PRUNE_EVERY_MS = 3_600_000;
/** When the first pipes for jobs are made. */
const FIRST_PIPES_MS = 25;
/** How long the host has to take the last events. */
const LAST_EVENTS_MS = 1000;

/**
 * Starts the in-lane server. The port is bound first and answers 503 until the spool is open; what only links need
 * (ws, zod) is loaded once readiness can be answered. Rejects when the bootstrap or the volume is unusable.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { clock, log } = options;
  const door = createFrontDoor();
  const port = await listen(door.server, options.port, options.host);
  log.info("listening", { port, bootMs: Math.round(clock.monotonicMs()) });

  const { bootstrap, secret } = readBootFiles(options.bootDir);
  const agent = { uid: bootstrap.agentUid, gid: bootstrap.agentGid };
  const folders = prepareState(options.stateDir, { worker: options.worker, agent });
  let links: LinkServer | null = null;
  const spool = openSpool(folders.spool, {
    clock,
    log,
    onSendable: (attempt) => links?.notify(attempt),
    onDamaged: (attempt) => jobs.endDamaged(attempt),
  });
  const { generation, build } = bootstrap;
  const facts = { generation, build, boot: randomBytes(16).toString("hex"), spool: spool.id, pid: options.worker.pid };

  const calls = createHostCalls({ clock });
  const relay = createRelay({ calls, log });
  const relayPort = await listen(relay, options.relayPort, "127.0.0.1");
  const identity = chooseIdentity({ worker: options.worker, agent, setpriv: options.setpriv });
  if (identity.kind === "same") log.warn("jobs run as the worker's own user", { uid: agent.uid });
  else if (!existsSync(identity.setpriv)) throw new Error(`the image has no ${identity.setpriv}: install util-linux`);
  const apiUrl = `http://127.0.0.1:${relayPort}`;
  const env = { home: folders.home, apiUrl, agentUid: agent.uid, own: options.env };
  const pipes = createPipePool(join(folders.spool, "pipes"), log);
  const ladder = options.ladder ?? END_LADDER;
  const loadGit = lazy(async () => {
    const { createLaneGit } = await import("./private-git/lane-git.ts");
    const { bootDir, stateDir } = options;
    return createLaneGit({ bootDir, stateDir, home: folders.home, path: options.env.PATH, identity, log });
  });
  const gate = createGitGate({ bootDir: options.bootDir, gitDir: folders.git }, async () =>
    (await loadGit()).prepare(),
  );
  const git: HostGit = {
    fetch: async (query) => (await loadGit()).fetch(query),
    read: async (offset) => (await loadGit()).read(offset),
    advance: async (move) => (await loadGit()).advance(move),
    look: async () => (await loadGit()).look(),
  };
  // Only loaded once there is a prompt: starting a worker is quicker without.
  const prepareAgent: JobsDeps["prepareAgent"] = async (agent, files) => {
    const { prepareAgent: prepare } = await import("./jobs/prepare-agent.ts");
    return prepare({ home: folders.home, identity, placer: options.placer }, agent, files);
  };
  const jobs = createJobs({
    ...{ clock, log, identity, env, ladder, spool, generation, prepareAgent },
    pipes: gated(pipes, gate),
  });

  const loadCredentials = lazy(async () => {
    const { createCredentials } = await import("./placement/credentials.ts");
    const notePath = join(options.stateDir, "credentials.json");
    return createCredentials({ home: folders.home, notePath, identity, placer: options.placer, log });
  });
  const credentials: Credentials = {
    deliver: async (files) => (await loadCredentials()).deliver(files),
    read: async (paths) => (await loadCredentials()).read(paths),
  };
  const loadLinks = lazy(async () => {
    const { createLinkServer } = await import("./link/link-server.ts");
    links = createLinkServer({ clock, log, spool, jobs, credentials, git, calls, facts, secret });
    return links;
  });
  door.open({ ...facts, secret }, (request, socket, head) => {
    void loadLinks().then((server) => server.upgrade(request, socket, head));
  });
  log.info("ready", {
    port,
    relayPort,
    generation,
    attempts: spool.list().length,
    bootMs: Math.round(clock.monotonicMs()),
  });
  setImmediate(() => void loadLinks());
  // Starting a process blocks for 2 ms: not while the host opens its link. A job that comes sooner has them made.
  const cancelRefill = clock.timer(FIRST_PIPES_MS, () => {
    pipes.refill();
    void gate.wait();
  });
  const stopPruning = every(clock, PRUNE_EVERY_MS, async () => {
    const removed = await spool.prune();
    if (removed > 0) log.info("attempts removed", { removed });
  });

  return {
    port,
    relayPort,
    stop: async () => {
      log.info("stopping");
      door.shut();
      stopPruning();
      cancelRefill();
      await jobs.stop();
      const isSent = () =>
        spool.list().every((attempt) => attempt.settledAtMs() !== null || attempt.phase() === "accepted");
      const until = clock.monotonicMs() + LAST_EVENTS_MS;
      while (links?.isLinked() && !isSent() && clock.monotonicMs() < until) await clock.sleep(10, {});
      await links?.close(500);
      await Promise.all([close(door.server), close(relay)]);
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A job waits for its pipes, and for the git dir. */
function gated(pipes: PipePool, gate: GitGate): PipePool {
  return {
    ...pipes,
    wait: () => {
      const waits = [pipes.wait(), gate.wait()].filter((wait) => wait !== null);
      return waits.length === 0 ? null : Promise.all(waits).then(() => {});
    },
  };
}

function lazy<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

function every(clock: Clock, ms: number, fn: () => Promise<void>): () => void {
  let cancel = () => {};
  const arm = () => {
    cancel = clock.timer(ms, () => void fn().finally(arm));
  };
  arm();
  return () => cancel();
}
