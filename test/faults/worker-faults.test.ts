import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAULT_NAMES } from "../../internal/base/index.ts";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { findViolations, readLedger } from "./checker.ts";
import { agentArgv, countPhases, gatherEvidence } from "./evidence.ts";
import { type FaultScene, openLanes } from "./open-lanes.ts";
import { say } from "./run-terms.ts";

/** Quick to try again: a worker whose fault point is passed at once dies until the variable is taken away. */
const CONFIG = "backoff: { base: 100ms, max: 500ms, failures: 50 }\n";

const POINTS = FAULT_NAMES.filter((name) => name.startsWith("worker."));

const NOT_STARTED = { state: "failed", error: "interrupted", ledger: "" };

/** What becomes of a job whose worker dies at the point, and what its agent notes in any attempt. */
const EXPECTED: Readonly<
  Record<string, { readonly state: string; readonly error: string | null; readonly ledger?: string }>
> = {
  // Not started for certain: the same attempt is sent again.
  "worker.before-accepted": { state: "succeeded", error: null, ledger: "start end" },
  "worker.accepted": { state: "succeeded", error: null, ledger: "start end" },
  // There is a start marker: never again by itself.
  "worker.claimed": NOT_STARTED,
  "worker.before-started": NOT_STARTED,
  "worker.started": NOT_STARTED,
  "worker.before-finished": { state: "failed", error: "interrupted", ledger: "start end" },
  // How far the agent came is a matter of luck.
  "worker.before-send": { state: "failed", error: "interrupted" },
};

describe("a worker that is killed", { timeout: 150_000 }, () => {
  let scene: FaultScene;
  let home: Installation;
  let lanes: readonly ApiLane[];

  beforeAll(async () => {
    scene = await openLanes(
      POINTS.map((point) => [point.replace(".", "-"), "--set", `env.FAULT=${point}`]),
      { config: CONFIG },
    );
    ({ home, lanes } = scene);
  });
  afterAll(() => scene?.[Symbol.asyncDispose]());

  it("at any fault point starts no attempt twice, and its job ends as the start marker says", async () => {
    const argv = agentArgv({ lines: 3, pauseS: 0.1 });
    const submit = (lane: ApiLane) =>
      callApi<ApiJob>(home, "POST", `/v1/lanes/${lane.id}/jobs`, { kind: "command", argv });
    const jobs = await Promise.all(lanes.map(submit));
    const allDied = async () =>
      (await callApi<ApiLane[]>(home, "GET", "/v1/lanes")).every((lane) => lane.generation > 1);
    await eventually(allDied, { what: "the death of all workers", withinMs: 60_000 });
    for (const lane of lanes) await home.json(["set", lane.name, "--unset", "env.FAULT"]);
    const drained = () => {
      const { succeeded = 0, failed = 0, cancelled = 0, lost = 0 } = countPhases(home);
      return succeeded + failed + cancelled + lost === jobs.length;
    };
    await eventually(drained, { what: "the end of all jobs", withinMs: 60_000 });

    const acknowledged = jobs.map((job) => job.id);
    const evidence = await gatherEvidence(home, { lanes, acknowledged });
    expect(findViolations(evidence)).toEqual([]);
    const { lines } = readLedger(evidence.ledger);
    const seen = await Promise.all(
      jobs.map(async ({ id }, i) => {
        const { state, attempt, error } = await callApi<ApiJob>(home, "GET", `/v1/jobs/${id}`);
        const ledger = lines.filter((line) => line.job === id).map((line) => line.what);
        return [POINTS[i], { state, attempt, error: error?.code ?? null, ledger: ledger.join(" ") }] as const;
      }),
    );
    say(`worker killed at ${POINTS.length} points: ${seen.map(([point, end]) => `${point} ${end.state}`).join(", ")}`);
    for (const [point = "", end] of seen)
      expect([point, end]).toMatchObject([point, { ...EXPECTED[point], attempt: 1 }]);
    const allReady = async () =>
      (await callApi<ApiLane[]>(home, "GET", "/v1/lanes")).every((lane) => lane.state === "ready");
    await eventually(allReady, { what: "all lanes ready again", withinMs: 30_000 });
    await expectOnly(home, lanes);
  });
});
