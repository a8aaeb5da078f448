import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually } from "../support/installation.ts";
import { expectOnly, type Holdings, holdingsOf, observeHoldings } from "../support/leftovers.ts";
import { startBareDaemon } from "./bare-daemon.ts";
import { findViolations, type LedgerLine, readLedger } from "./checker.ts";
import { agentArgv, countPhases, gatherEvidence } from "./evidence.ts";
import { createNemesis, type Destruction, type Nemesis } from "./nemesis.ts";
import { openLanesBefore } from "./open-lanes.ts";
import { chooseSeed, FULL, say, seededRandom } from "./run-terms.ts";

const LANES = FULL ? 4 : 2;
const SOAK_MS = Number(process.env.SOAK_S ?? (FULL ? 1800 : 30)) * 1000;
const BETWEEN_MS = { min: 2000, max: 10_000 };
/** Jobs of a lane that wait or run, at most. */
const OPEN_PER_LANE = 3;
const HEAL_MS = 150_000;

/** Lanes are hurt far more often than a lane that fails by itself may fail. */
const CONFIG = "backoff: { base: 100ms, max: 500ms, failures: 1000 }\n";

/** A job that is to be submitted; `id` is what the daemon answered, once it did. */
interface Order {
  readonly lane: string;
  readonly body: object;
  id: string | null;
}

describe("lanes at work under random faults", { timeout: SOAK_MS + HEAL_MS + 120_000 }, () => {
  const seed = chooseSeed();
  const random = seededRandom(seed);
  const orders: Order[] = [];
  const scene = openLanesBefore(
    Array.from({ length: LANES }, (_, n) => [`soak-${n + 1}`]),
    { config: CONFIG },
  );

  const submit = async (order: Order) => {
    const { id } = await callApi<ApiJob>(scene.home, "POST", `/v1/lanes/${order.lane}/jobs`, order.body);
    if (order.id !== null) expect(id).toBe(order.id);
    order.id = id;
  };
  const newOrder = (): Order => {
    const argv = agentArgv({ lines: 2 + Math.floor(random() * 20), pauseS: 0.05 + random() * 0.3 });
    const retry = random() < 0.3 ? "on_lost" : "never";
    const lane = scene.lanes[Math.floor(random() * LANES)]?.id ?? "";
    return { lane, body: { kind: "command", argv, key: `soak-${orders.length}`, retry }, id: null };
  };
  /** Without an answer a job may be on record all the same: it is submitted again by its key. So are some with one. */
  const work = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      await sleep(200);
      if (countOpen(orders, countPhases(scene.home)) < LANES * OPEN_PER_LANE) orders.push(newOrder());
      const again = orders.filter((order) => order.id === null || random() < 0.02);
      for (const order of again) await submit(order).catch(rethrowAssertion);
    }
  };
  const hurt = async (nemesis: Nemesis, endMs: number) => {
    while (performance.now() < endMs) {
      await nemesis.strike();
      await sleep(BETWEEN_MS.min + random() * (BETWEEN_MS.max - BETWEEN_MS.min));
      await nemesis.keepUp();
    }
  };
  const countContainers = async () =>
    (await callApi<ApiLane[]>(scene.home, "GET", "/v1/lanes")).reduce((sum, lane) => sum + lane.generation, 0);
  const heal = async () => {
    // The last one may be armed.
    await scene.daemon.kill();
    scene.daemon = startBareDaemon(scene.home);
    await scene.daemon.answers();
    for (const order of orders) await submit(order);
    const isWell = async () => {
      if (countOpen(orders, countPhases(scene.home)) > 0) return sleep(250, false);
      return (await callApi<ApiLane[]>(scene.home, "GET", "/v1/lanes")).every((lane) => lane.state === "ready");
    };
    // What is not well by then is what the checks are to find.
    await eventually(isWell, { what: "healing", withinMs: HEAL_MS }).catch(() => undefined);
  };

  it("loses no job, runs none twice, and leaves nothing behind", async () => {
    const nemesis = createNemesis(scene, random);
    const stop = new AbortController();
    const working = work(stop.signal);
    await Promise.all([hurt(nemesis, performance.now() + SOAK_MS).finally(() => stop.abort()), working]);
    await heal();

    const acknowledged = orders.flatMap((order) => order.id ?? []);
    const evidence = await gatherEvidence(scene.home, { lanes: scene.lanes, acknowledged });
    const violations = findViolations(evidence);
    const { lines } = readLedger(evidence.ledger);
    const jobs = await Promise.all(acknowledged.map((id) => callApi<ApiJob>(scene.home, "GET", `/v1/jobs/${id}`)));
    const harmed = jobs.filter((job) => job.state !== "succeeded");
    const unfounded = harmed.filter((job) => !isFounded(job, lines, nemesis.destroyed));

    say(`soak, seed ${seed}, ${SOAK_MS / 1000} s, ${LANES} lanes, one fault each 2-10 s:`);
    for (const [name, count] of nemesis.counts) say(`  ${count} x ${name}`);
    say(`  ${jobs.length} jobs: ${JSON.stringify(countPhases(scene.home))}`);
    say(
      `  ${evidence.attempts.length} attempts, ${evidence.events.length} events, ${await countContainers()} containers made`,
    );
    say(`  ${violations.length} violations, ${unfounded.length} ended without a cause`);
    expect(violations).toEqual([]);
    expect(unfounded).toEqual([]);
    expect(new Set(acknowledged).size).toBe(orders.length);
    expect(evidence.jobs.length).toBe(orders.length);
    await expectOnly(scene.home, scene.lanes);

    for (const lane of scene.lanes) await scene.home.json(["rm", lane.name, "--force", "--yes"]);
    const install = await scene.home.installId();
    const left = await observeHoldings(install);
    const running = scene.lanes.flatMap((lane) => processesOfLane(lane.id));
    say(`  left over: ${count(left)} in Podman or the kernel, ${running.length} processes`);
    expect(left).toEqual(holdingsOf([]));
    expect(running).toEqual([]);
  });
});

/** Jobs that are on their way or have not ended. */
function countOpen(orders: readonly Order[], phases: Readonly<Record<string, number>>): number {
  const { succeeded = 0, failed = 0, cancelled = 0, lost = 0 } = phases;
  return orders.length - succeeded - failed - cancelled - lost;
}

/** Its lane's container was destroyed while it was there, and that is what it says. */
function isFounded(job: ApiJob, lines: readonly LedgerLine[], destroyed: readonly Destruction[]): boolean {
  const interrupted = job.state === "failed" && job.error?.code === "interrupted";
  const start = lines.findLast((line) => line.job === job.id && line.what === "start");
  const fromMs = (start?.atMs ?? Date.parse(job.createdAt)) - 1000;
  const toMs = Date.parse(job.endedAt ?? "");
  return interrupted && destroyed.some(({ lane, atMs }) => lane === job.lane && fromMs <= atMs && atMs <= toMs);
}

function rethrowAssertion(caught: unknown): void {
  if (caught instanceof Error && caught.name === "AssertionError") throw caught;
}

function count(left: Holdings): number {
  return Object.values<readonly string[]>({ ...left }).flat().length;
}

/** Pids of what carries the lane's id in its environment. */
function processesOfLane(lane: string): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isSafeInteger(pid) && readEnviron(pid).includes(`INBOX_LANE_ID=${lane}`));
}

function readEnviron(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}
