import { afterEach, describe, expect, it } from "vitest";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { expectOnly } from "../support/leftovers.ts";
import { listMarked } from "../support/marked.ts";
import { identify, lives, wardOf } from "../support/ward.ts";
import { type FaultScene, openLanes } from "./open-lanes.ts";
import { FULL, say } from "./run-terms.ts";

/** The product's own limit with FULL=1, else a short one. The clock of a silent worker stays far behind it. */
const LIMIT_S = FULL ? 60 : 6;
const CONFIG = `timeouts: { cancel: ${LIMIT_S}s, hung: 10m }\nbackoff: { base: 100ms, max: 500ms }\n`;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("a cancel that its worker does not confirm", { timeout: 240_000 }, () => {
  let scene: FaultScene;
  afterEach(() => scene?.[Symbol.asyncDispose]());

  it("ends the container after its own time, and the job as cancelled by force; the lane comes back", async () => {
    scene = await openLanes([["deaf"]], { config: CONFIG });
    const { home } = scene;
    const ward = wardOf(home, scene.lanes[0] as ApiLane);
    const job = await ward.startJob();
    const { main, worker } = await ward.processes();
    const agents = listMarked(job.id, 1).map(identify);
    expect(agents.length).toBeGreaterThan(0);

    process.kill(worker.pid, "SIGSTOP");
    const askedMs = performance.now();
    await callApi<ApiJob>(home, "POST", `/v1/jobs/${job.id}/cancel`, {});
    await sleep((LIMIT_S - 2) * 1000);
    expect([(await ward.job(job.id)).state, lives(main), agents.every(lives)]).toEqual(["running", true, true]);
    const { job: ended, events } = await ward.ended(job.id);
    const tookS = (performance.now() - askedMs) / 1000;
    say(`unconfirmed cancel: limit ${LIMIT_S} s, cancelled by force after ${tookS.toFixed(1)} s`);
    expect(ended).toMatchObject({ state: "cancelled", detail: "ended by force", attempt: 1 });
    expect(tookS).toBeLessThan(LIMIT_S + 15);
    // The proof came before the word: nothing of it was left when the job was called cancelled.
    expect([main, worker, ...agents].filter(lives)).toEqual([]);
    expect(listMarked(job.id, 1)).toEqual([]);
    expect(events.filter((event) => event.type === "cancelling")).toEqual([]);
    expect(await ward.ledger()).toEqual(["start"]);

    const after = await ward.readyAs(2);
    expect(after.container).not.toBe(ward.born.container);
    expect(await ward.causes()).toContain("cancel_unanswered");
    expect(await home.lane(["run", ward.name, "--", "echo", "back"])).toMatchObject({ code: 0, stdout: "back\n" });
    await expectOnly(home, [after]);
  });
});
