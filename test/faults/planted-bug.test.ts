import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { PlantedChange } from "../../internal/build/plant.ts";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually } from "../support/installation.ts";
import { startBareDaemon } from "./bare-daemon.ts";
import { buildPlanted } from "./build-setup.ts";
import { findViolations, type Violation } from "./checker.ts";
import { agentArgv, countPhases, gatherEvidence, readLedgerOf } from "./evidence.ts";
import { type FaultScene, openLanes } from "./open-lanes.ts";
import { say } from "./run-terms.ts";

const CONFIG = "backoff: { base: 100ms, max: 500ms, failures: 50 }\n";

/** A defect, and the death that brings it to light. */
interface Trial {
  readonly name: string;
  readonly changes: readonly PlantedChange[];
  readonly settings: readonly string[];
  /** Gives the acknowledged jobs. */
  readonly run: (scene: FaultScene, lane: ApiLane, dist: string) => Promise<readonly string[]>;
  readonly found: Violation["what"];
}

const submit = async (scene: FaultScene, lane: ApiLane, key: string): Promise<string> => {
  const body = { kind: "command", argv: agentArgv({ lines: 2, pauseS: 0.05 }), key };
  return (await callApi<ApiJob>(scene.home, "POST", `/v1/lanes/${lane.id}/jobs`, body)).id;
};

const untilEnded = (scene: FaultScene, count: number) =>
  eventually(() => (countPhases(scene.home).succeeded ?? 0) + (countPhases(scene.home).failed ?? 0) >= count, {
    what: "the end of the jobs",
    withinMs: 40_000,
  });

const TRIALS: readonly Trial[] = [
  {
    name: "early-answer",
    changes: [
      {
        file: "internal/dispatch/commands.ts",
        find: "    ctx.writer.insert(job);\n",
        put: "    setTimeout(() => { ctx.writer.insert(job); ctx.pump(laneId); }, 500);\n",
      },
    ],
    settings: [],
    run: async (scene, lane, dist) => {
      const first = await submit(scene, lane, "lives");
      await untilEnded(scene, 1);
      const second = await submit(scene, lane, "dies");
      await scene.daemon.kill();
      scene.daemon = startBareDaemon(scene.home, null, { dist });
      await scene.daemon.answers();
      await sleep(1000);
      return [first, second];
    },
    found: "missing",
  },
  {
    name: "marker-ignored",
    // Three things keep an attempt from a second start: what a worker reads when it begins, what the host has heard of
    // the attempt, and the exclusive create.
    changes: [
      {
        file: "internal/worker/spool/spool.ts",
        find: "const started = existsSync(join(dir, ATTEMPT_FILES.marker));",
        put: "const started = false;",
      },
      {
        file: "internal/dispatch/send.ts",
        find: 'fresh?.state.phase === "dispatching" || fresh?.state.phase === "accepted";',
        put: "fresh !== null;",
      },
      { file: "internal/worker/jobs/launch-script.ts", find: "`set -C\n", put: "`set +C\n" },
    ],
    settings: ["--set", "env.FAULT=worker.before-finished"],
    run: async (scene, lane) => {
      const job = await submit(scene, lane, "again");
      const again = async () => ((await readLedgerOf(lane)).match(/ start /g)?.length ?? 0) > 1;
      await eventually(again, { what: `the second start of ${job}/1`, withinMs: 20_000 });
      return [job];
    },
    found: "started_twice",
  },
];

describe("a build with a planted bug", { timeout: 90_000 }, () => {
  it.each(TRIALS)("is caught: $name", async (trial) => {
    const dist = await buildPlanted(trial);
    await using scene = await openLanes([[trial.name, ...trial.settings]], { config: CONFIG, dist });
    const [lane] = scene.lanes;
    if (!lane) throw new Error("no lane");
    const acknowledged = await trial.run(scene, lane, dist);
    const violations = findViolations(await gatherEvidence(scene.home, { lanes: scene.lanes, acknowledged }));
    const seen = violations.map(({ what }) => what);
    say(`planted ${trial.name}: the checker says ${seen.join(", ") || "nothing"}`);
    expect(seen).toContain(trial.found);
  });
});
