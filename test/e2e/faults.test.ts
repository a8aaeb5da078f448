import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ApiLane } from "../../internal/protocol/api.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { podman } from "../support/podman.ts";
import { type LaneProcesses, lives, newWard, type Ward } from "../support/ward.ts";

/** Quick to notice and quick to try again; enough tries for all that is done to the lanes here. */
const CONFIG = `
timeouts: { ping: 500ms, pingAnswer: 1s, hung: 8s, relist: 1s, orphanGrace: 1s }
backoff: { base: 100ms, max: 500ms, failures: 20 }
`;

describe("a lane that is hurt", { timeout: 150_000 }, () => {
  let home: Installation;
  let count = 0;

  beforeAll(async () => {
    home = await newInstallation({ config: CONFIG });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const lane of await home.json<ApiLane[]>(["ls"])) await home.lane(["rm", lane.name, "--yes", "--force"]);
    await expectOnly(home, []);
  });

  const newLane = () => newWard(home, `hurt-${++count}`);

  /** Made anew, the job that ran is failed(interrupted) and was started once, and nothing of before is left. */
  async function expectMadeAnew(ward: Ward, was: LaneProcesses, job: string): Promise<ApiLane> {
    const lane = await ward.readyAs(2);
    const end = await ward.ended(job);
    expect(end.job).toMatchObject({ state: "failed", attempt: 1, error: { code: "interrupted" } });
    expect(end.events.filter((event) => event.type === "finished")).toHaveLength(1);
    expect(await ward.ledger()).toEqual(["start"]);
    expect([was.main, was.worker, was.monitor].filter(lives)).toEqual([]);
    expect((await home.lane(["run", ward.name, "--", "cat", "ledger.txt"])).stdout).toBe("start\n");
    expect(await ward.now()).toMatchObject({ state: "ready", generation: lane.generation, container: lane.container });
    await expectOnly(home, [lane]);
    return lane;
  }

  const deaths: [string, RegExp, (name: string, was: LaneProcesses) => unknown][] = [
    ["its worker is killed", /^worker_died$/, (_, was) => process.kill(was.worker.pid, "SIGKILL")],
    ["its container's first process is killed", /^worker_died$/, (_, was) => process.kill(was.main.pid, "SIGKILL")],
    ["podman kills it", /^worker_died$/, (name) => podman("kill", name)],
    // Podman kills it first: which of the two is seen is a matter of luck.
    ["podman removes it", /^(worker_died|container_gone)$/, (name) => podman("rm", "-f", "-t", "0", name)],
  ];
  it.each(deaths)("is made anew when %s; its job is interrupted, once", async (_, cause, hurt) => {
    const ward = await newLane();
    const job = await ward.startJob();
    const was = await ward.processes();
    await hurt(ward.born.containerName, was);
    const lane = await expectMadeAnew(ward, was, job.id);
    expect(lane.generation).toBe(2);
    expect(await ward.causes()).toContainEqual(expect.stringMatching(cause));
  });

  it("comes back by itself when it was paused from outside, with the same container and its job", async () => {
    const ward = await newLane();
    const job = await ward.startJob({ seconds: 3 });
    await podman("pause", ward.born.containerName);
    await eventually(async () => (await ward.causes()).includes("paused"), { what: "the pause noticed" });
    const lane = await ward.readyAs(1);
    expect(lane).toMatchObject({ container: ward.born.container, generation: 1 });
    expect((await ward.ended(job.id)).job).toMatchObject({ state: "succeeded", attempt: 1 });
    expect(await ward.ledger()).toEqual(["start", "end"]);
    await expectOnly(home, [lane]);
  });

  it("is unready within 15 s while its worker hangs, and ready without a restart when it goes on", async () => {
    const ward = await newLane();
    const job = await ward.startJob({ seconds: 3 });
    const { worker } = await ward.processes();
    process.kill(worker.pid, "SIGSTOP");
    const unready = await ward.until("unready", (lane) => lane.state === "unready", 15_000);
    expect(unready.cause?.code).toBe("probe_lost");
    process.kill(worker.pid, "SIGCONT");
    const lane = await ward.readyAs(1);
    expect(lane).toMatchObject({ container: ward.born.container, generation: 1 });
    expect((await ward.ended(job.id)).job).toMatchObject({ state: "succeeded", attempt: 1 });
    await expectOnly(home, [lane]);
  });

  it("is made anew when its worker hangs for good", async () => {
    const ward = await newLane();
    const job = await ward.startJob();
    const was = await ward.processes();
    process.kill(was.worker.pid, "SIGSTOP");
    await expectMadeAnew(ward, was, job.id);
    expect(await ward.causes()).toEqual(expect.arrayContaining(["probe_lost", "hung"]));
  });
});
