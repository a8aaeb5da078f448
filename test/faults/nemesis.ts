import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FAULT_NAMES } from "../../internal/base/index.ts";
import type { ApiLane } from "../../internal/protocol/api.ts";
import { podman } from "../support/podman.ts";
import { type HostProcess, lives, wardOf } from "../support/ward.ts";
import { startBareDaemon } from "./bare-daemon.ts";
import type { LanesScene } from "./open-lanes.ts";

/** A time at which a lane's container was, or may have been, destroyed: ms since the epoch. */
export interface Destruction {
  readonly lane: string;
  readonly atMs: number;
}

/** What strikes, one fault at a time, and how often which. */
export interface Nemesis {
  /** One fault, and its end: what was stopped goes on, what was killed is started again. */
  strike(): Promise<void>;
  /** A daemon that died at its fault point is followed by the next one. */
  keepUp(): Promise<void>;
  readonly counts: ReadonlyMap<string, number>;
  readonly destroyed: readonly Destruction[];
}

const POINTS = FAULT_NAMES.filter((name) => name.startsWith("laned."));
/** How long a dead daemon is left so at most, ms. */
const DOWN_MS = 5000;
/** How long a process or a container is frozen, ms. */
const FREEZE_MS = { min: 500, max: 6000 };

/** A nemesis whose choices follow from `random`. */
export function createNemesis(scene: LanesScene, random: () => number): Nemesis {
  const counts = new Map<string, number>();
  const destroyed: Destruction[] = [];
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const freezeMs = () => FREEZE_MS.min + random() * (FREEZE_MS.max - FREEZE_MS.min);
  const processesOf = (lane: ApiLane) => wardOf(scene.home, lane).processes();

  const startDaemon = async (fault: string | null) => {
    scene.daemon = startBareDaemon(scene.home, fault);
    // It may pass its point before it answers.
    await scene.daemon.answers().catch((caught: unknown) => {
      if (!scene.daemon.dead()) throw caught;
    });
  };
  const killDaemon = async () => {
    await scene.daemon.kill();
    await sleep(random() * DOWN_MS);
    await startDaemon(random() < 0.5 ? `${pick(POINTS)}:${1 + Math.floor(random() * 3)}` : null);
  };
  const freeze = async (process: HostProcess) => {
    signal(process, "SIGSTOP");
    await sleep(freezeMs());
    signal(process, "SIGCONT");
  };
  /** Noted before and after: it dies somewhere in between. */
  const destroy = async (lane: ApiLane, how: () => unknown) => {
    destroyed.push({ lane: lane.id, atMs: Date.now() });
    await how();
    destroyed.push({ lane: lane.id, atMs: Date.now() });
  };
  const faults: Readonly<Record<string, (lane: ApiLane) => Promise<unknown>>> = {
    "laned killed": killDaemon,
    "worker killed": async (lane) => {
      const { worker } = await processesOf(lane);
      await destroy(lane, () => signal(worker, "SIGKILL"));
    },
    "container killed": (lane) => destroy(lane, () => podman("kill", lane.containerName)),
    "container removed": (lane) => destroy(lane, () => podman("rm", "-f", "-t", "0", lane.containerName)),
    "worker frozen": async (lane) => freeze((await processesOf(lane)).worker),
    "container paused": async (lane) => {
      await podman("pause", lane.containerName);
      await sleep(freezeMs());
      // The daemon may have been faster.
      await podman("unpause", lane.containerName).catch(() => undefined);
    },
    "monitor killed": async (lane) => signal((await processesOf(lane)).monitor, "SIGKILL"),
    "engine killed": async () => killEngine(join(scene.home.env.XDG_RUNTIME_DIR as string, "lanekeeper")),
    "laned frozen": () => freezeDaemon(scene, freezeMs()),
  };
  /** All before any comes again; the daemon's death is the one that there is to survive above all. */
  const fullBag = [...Object.keys(faults), "laned killed", "laned killed"];
  const bag: string[] = [];
  const draw = (): string => {
    if (bag.length === 0) bag.push(...fullBag);
    return bag.splice(Math.floor(random() * bag.length), 1)[0] as string;
  };
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);

  return {
    counts,
    destroyed,
    keepUp: async () => {
      if (!scene.daemon.dead()) return;
      count("died at a fault point");
      await startDaemon(null);
    },
    strike: async () => {
      const name = draw();
      const lane = pick(scene.lanes);
      try {
        await faults[name]?.(lane);
        count(name);
      } catch {
        // The lane had no such process or container at this moment.
        count("found nothing to hurt");
      }
    },
  };
}

function signal(process_: HostProcess, name: NodeJS.Signals): void {
  if (lives(process_)) process.kill(process_.pid, name);
}

async function freezeDaemon(scene: LanesScene, ms: number): Promise<void> {
  const { daemon } = scene;
  if (daemon.dead()) throw new Error("no daemon");
  process.kill(daemon.pid, "SIGSTOP");
  await sleep(ms);
  if (!daemon.dead()) process.kill(daemon.pid, "SIGCONT");
}

/** The service that the daemon has started for itself; throws when there is none. */
function killEngine(folder: string): void {
  const socket = join(folder, "podman.sock");
  const pid = Number(readFileSync(`${socket}.pid`, "utf8"));
  const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  if (!argv.includes(`unix://${socket}`)) throw new Error("no service of our own");
  process.kill(pid, "SIGKILL");
}
