import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ApiJob, ApiJobEvent, ApiLane } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually } from "../support/installation.ts";
import { listMarked, readProc } from "../support/marked.ts";
import { inspectContainer } from "../support/podman.ts";
import { type HostProcess, identify } from "../support/ward.ts";
import { startBareDaemon } from "./bare-daemon.ts";
import { findViolations } from "./checker.ts";
import { agentArgv, gatherEvidence, readLedgerOf } from "./evidence.ts";
import { openLanesBefore } from "./open-lanes.ts";
import { chooseSeed, FULL, say, seededRandom } from "./run-terms.ts";

const LANES = FULL ? 8 : 2;
const ROUNDS = FULL ? 20 : 3;
/** The short run kills thrice during one job. */
const ROUNDS_PER_JOB = FULL ? 1 : 3;
const JOB_S = FULL ? 60 : 20;
const DOWN_MS = FULL ? 30_000 : 5000;
const PAUSE_S = 0.25;
const LINES = JOB_S / PAUSE_S;
/** A daemon that came back has all its lanes again within this, also on a machine that has others to run: 0.8 s is usual. */
const REATTACH_MS = 15_000;

/** What a restart of the daemon must not change. */
interface Unchanged {
  readonly container: string;
  readonly containerStartedAt: string;
  readonly agent: HostProcess;
}

describe("a job that runs while the daemon is killed", { timeout: FULL ? 3_600_000 : 120_000 }, () => {
  const seed = chooseSeed();
  const random = seededRandom(seed);
  const scene = openLanesBefore(Array.from({ length: LANES }, (_, n) => [`reattach-${n + 1}`]));

  const startJob = async (lane: ApiLane): Promise<string> => {
    const body = { kind: "command", argv: agentArgv({ lines: LINES, pauseS: PAUSE_S }) };
    const { id } = await callApi<ApiJob>(scene.home, "POST", `/v1/lanes/${lane.id}/jobs`, body);
    const started = async () => (await readLedgerOf(lane)).includes(`${id}/1 start `);
    await eventually(started, { what: `the start of job ${id}` });
    return id;
  };
  const observe = async (lane: ApiLane, job: string): Promise<Unchanged> => {
    const { Id, State } = await inspectContainer(lane.containerName);
    return { container: Id, containerStartedAt: State.StartedAt, agent: findAgent(job) };
  };
  /** The lane is ready, and its job in reach again. */
  const isAttached = async (lane: ApiLane, id: string): Promise<boolean> => {
    const [now, job] = await Promise.all([
      callApi<ApiLane[]>(scene.home, "GET", "/v1/lanes").then((all) => all.find((one) => one.id === lane.id)),
      callApi<ApiJob>(scene.home, "GET", `/v1/jobs/${id}`),
    ]);
    return now?.state === "ready" && job.state === "running" && job.detail === null;
  };
  const outputOf = async (id: string): Promise<string> => {
    const ended = async () => (await callApi<ApiJob>(scene.home, "GET", `/v1/jobs/${id}`)).state === "succeeded";
    await eventually(ended, { what: `the success of job ${id}`, withinMs: (JOB_S + 30) * 1000 });
    const log = (await scene.home.lane(["job", "events", id])).stdout.trim().split("\n");
    const events = log.map((line) => JSON.parse(line) as ApiJobEvent);
    return events.map((event) => (event.type === "output" ? String(event.text) : "")).join("");
  };

  it("goes on in the same process, and none of its events is lost", async () => {
    const times: number[] = [];
    const jobs: string[] = [];
    const wanted = Array.from({ length: LINES }, (_, n) => `line ${n + 1}\n`).join("");
    for (let round = 0; round < ROUNDS; ) {
      const ids = await Promise.all(scene.lanes.map(startJob));
      const observeAll = () => Promise.all(scene.lanes.map((lane, i) => observe(lane, ids[i] ?? "")));
      const before = await observeAll();
      for (let n = 0; n < ROUNDS_PER_JOB; n++, round++) {
        await scene.daemon.kill();
        // Not left to chance where all rounds have to fit into one job.
        await sleep(ROUNDS_PER_JOB > 1 ? (DOWN_MS * n) / (ROUNDS_PER_JOB - 1) : random() * DOWN_MS);
        const sinceMs = performance.now();
        scene.daemon = startBareDaemon(scene.home);
        const attach = async (lane: ApiLane, i: number) => {
          await eventually(() => isAttached(lane, ids[i] ?? ""), { what: `lane ${lane.name} attached again` });
          return performance.now() - sinceMs;
        };
        times.push(...(await Promise.all(scene.lanes.map(attach))));
        expect(await observeAll()).toEqual(before);
      }
      for (const id of ids) expect(await outputOf(id)).toBe(wanted);
      jobs.push(...ids);
    }
    const evidence = await gatherEvidence(scene.home, { lanes: scene.lanes, acknowledged: jobs });
    const sorted = times.map(Math.round).sort((a, b) => a - b);
    say(`reattach, seed ${seed}: ${ROUNDS} kills of laned under ${LANES} lanes, each in a job of ${JOB_S} s`);
    say(
      `  ${times.length} times the same container, the same process; all ${evidence.events.length} events of ${jobs.length} jobs`,
    );
    say(`  reattached after ${sorted[Math.floor(sorted.length / 2)]} ms (median), at most ${sorted.at(-1)} ms`);
    expect(findViolations(evidence)).toEqual([]);
    expect(sorted.at(-1)).toBeLessThanOrEqual(REATTACH_MS);
  });
});

/** The agent's process on this machine: the shell that runs the script, known by its job's mark. */
function findAgent(job: string): HostProcess {
  const pid = listMarked(job, 1).find((one) => readProc(one, "cmdline").includes("ledger-agent.sh"));
  if (pid === undefined) throw new Error(`no agent of job ${job}`);
  return identify(pid);
}
