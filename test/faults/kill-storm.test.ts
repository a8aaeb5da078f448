import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { FAULT_NAMES } from "../../internal/base/index.ts";
import type { ApiJob } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { startBareDaemon } from "./bare-daemon.ts";
import { findViolations } from "./checker.ts";
import { agentArgv, countPhases, gatherEvidence } from "./evidence.ts";
import { openLanesBefore } from "./open-lanes.ts";
import { chooseSeed, FULL, say, seededRandom } from "./run-terms.ts";

const LANES = FULL ? 4 : 2;
const JOBS = FULL ? 200 : 24;
const KILLS = FULL ? 100 : 10;
const POINTS = FAULT_NAMES.filter((name) => name.startsWith("laned."));

/** How long a fault point may take to be passed; then the daemon is killed all the same. */
const POINT_MS = 8000;
/** Up to when the others are killed, from the daemon's first answer. */
const RANDOM_MS = 1000;
const TIMEOUT_MS = FULL ? 3_600_000 : 150_000;

/** Half of the full run at random; the short one passes each point once, and has two at random. */
const isRandom = (kill: number) => (FULL ? kill % 2 === 1 : kill % 5 === 4);

/** A job that is to be submitted; `id` is what the daemon answered, once it did. */
interface Order {
  readonly lane: string;
  readonly key: string;
  readonly argv: readonly string[];
  id: string | null;
}

describe("a daemon that is killed again and again", { timeout: TIMEOUT_MS }, () => {
  const seed = chooseSeed();
  const random = seededRandom(seed);
  const scene = openLanesBefore(Array.from({ length: LANES }, (_, n) => [`storm-${n + 1}`]));

  const submit = async (order: Order) => {
    const body = { kind: "command", argv: order.argv, key: order.key };
    order.id = (await callApi<ApiJob>(scene.home, "POST", `/v1/lanes/${order.lane}/jobs`, body)).id;
  };

  const newOrders = (): readonly Order[] =>
    Array.from({ length: JOBS }, (_, n) => {
      const argv = agentArgv({ lines: 5, pauseS: 0.04 + random() * 0.2 });
      return { lane: scene.lanes[n % LANES]?.id ?? "", key: `storm-${n}`, argv, id: null };
    });
  /** Submits those of the first `count` that have no answer yet; one without an answer may be on record all the same. */
  const submitUpTo = async (orders: readonly Order[], count: number) => {
    for (const order of orders.slice(0, count)) {
      if (order.id === null && !scene.daemon.dead()) await submit(order).catch(() => undefined);
    }
  };
  /** One daemon's life, from start to SIGKILL; true when it died at its fault point. */
  const liveAndDie = async (point: string | null, work: () => Promise<void>): Promise<boolean> => {
    scene.daemon = startBareDaemon(scene.home, point);
    // It may pass its point before it answers, with what the lanes have to tell.
    await scene.daemon.answers().catch(() => undefined);
    await work();
    const died = point !== null && (await scene.daemon.endsWithin(POINT_MS));
    if (point === null) await sleep(random() * RANDOM_MS);
    else if (!died) say(`${point} was not passed within ${POINT_MS} ms`);
    await scene.daemon.kill();
    return died;
  };
  const drain = async (orders: readonly Order[]) => {
    scene.daemon = startBareDaemon(scene.home);
    await scene.daemon.answers();
    for (const order of orders) if (order.id === null) await submit(order);
    const isDrained = async () => countEnded(countPhases(scene.home)) === JOBS || sleep(250, false);
    // What has not ended is what the checker is to find.
    await eventually(isDrained, { what: "the end of all jobs", withinMs: 60_000 }).catch(() => undefined);
  };

  it("forgets no job, starts none twice, and ends all", async () => {
    const startedMs = performance.now();
    const orders = newOrders();
    const kills = { atPoints: 0, atRandom: 0 };
    await scene.daemon.kill();
    for (let kill = 0, points = 0; kill < KILLS; kill++) {
      const pass = FULL ? 1 + Math.floor(random() * 3) : 1;
      const point = isRandom(kill) ? null : `${POINTS[points++ % POINTS.length]}:${pass}`;
      const died = await liveAndDie(point, () => submitUpTo(orders, Math.ceil(((kill + 1) * JOBS) / KILLS)));
      kills[died ? "atPoints" : "atRandom"] += 1;
    }
    await drain(orders);

    const acknowledged = orders.flatMap((order) => order.id ?? []);
    const evidence = await gatherEvidence(scene.home, { lanes: scene.lanes, acknowledged });
    const violations = findViolations(evidence);
    const count = (what: string) => violations.filter((one) => one.what === what).length;
    const phases = countPhases(scene.home);
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    say(`kill storm, seed ${seed}, ${seconds} s: ${KILLS} kills of laned,`);
    say(`  ${kills.atPoints} at fault points, ${kills.atRandom} at random;`);
    say(`  ${JOBS} jobs in ${LANES} lanes: ${JSON.stringify(phases)}, ${evidence.events.length} events;`);
    say(`  ${count("missing")} missing, ${count("not_terminal")} not ended,`);
    say(`  ${count("started_twice")} attempts started twice, ${count("overlap")} overlaps`);
    expect(violations).toEqual([]);
    // No container was destroyed: nothing may be lost, nothing interrupted.
    expect(phases).toEqual({ succeeded: JOBS });
    expect(new Set(acknowledged).size).toBe(JOBS);
    if (!FULL) expect(kills.atPoints).toBe(POINTS.length);
    await expectOnly(scene.home, scene.lanes);
  });
});

function countEnded(phases: Readonly<Record<string, number>>): number {
  const { succeeded = 0, failed = 0, cancelled = 0, lost = 0 } = phases;
  return succeeded + failed + cancelled + lost;
}
