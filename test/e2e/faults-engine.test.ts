import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ApiLane } from "../../internal/protocol/api.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { type HostProcess, identify, lives, newWard, type Ward, wardOf } from "../support/ward.ts";

const CONFIG = `
timeouts: { relist: 1s, settle: 500ms, orphanGrace: 1s }
backoff: { base: 100ms, max: 500ms, failures: 20 }
`;

describe("an engine that is hurt", { timeout: 150_000 }, () => {
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

  const newLane = () => newWard(home, `engine-${++count}`);

  /** The installation's own `podman system service`. */
  async function service(): Promise<HostProcess> {
    const file = join(home.env.XDG_RUNTIME_DIR as string, "lanekeeper", "podman.sock.pid");
    return identify(Number(await readFile(file, "utf8")));
  }

  it("makes a lane anew whose monitor was killed while it was idle", async () => {
    const ward = await newLane();
    const was = await ward.processes();
    process.kill(was.monitor.pid, "SIGKILL");
    const lane = await ward.readyAs(2);
    expect(await ward.causes()).toContain("conmon_lost");
    expect([was.main, was.worker].filter(lives)).toEqual([]);
    await expectOnly(home, [lane]);
  });

  it("lets the job end first when the monitor of a busy lane was killed", async () => {
    const ward = await newLane();
    const job = await ward.startJob({ seconds: 4 });
    const { monitor } = await ward.processes();
    process.kill(monitor.pid, "SIGKILL");
    const draining = await ward.until("draining", (lane) => lane.state === "draining");
    expect(draining).toMatchObject({ generation: 1, container: ward.born.container, cause: { code: "conmon_lost" } });
    expect((await ward.ended(job.id)).job).toMatchObject({ state: "succeeded", attempt: 1 });
    const lane = await ward.readyAs(2);
    expect(await ward.ledger()).toEqual(["start", "end"]);
    await expectOnly(home, [lane]);
  });

  it("starts a service of its own again that was killed; lanes and jobs do not notice", async () => {
    const ward = await newLane();
    const job = await ward.startJob({ seconds: 3 });
    const was = await service();
    process.kill(was.pid, "SIGKILL");
    const next = await eventually(async () => ((await service()).pid === was.pid ? null : service()), {
      what: "a new service",
    });
    expect(lives(next)).toBe(true);
    expect((await ward.ended(job.id)).job).toMatchObject({ state: "succeeded", attempt: 1 });
    const lane = await ward.readyAs(1);
    expect(lane).toMatchObject({ generation: 1, container: ward.born.container });
    expect((await ward.history()).map((entry) => entry.to)).not.toContain("unknown");
    await expectOnly(home, [lane]);
  });

  /** A new lane that is in this phase now. Some last for milliseconds: one that was missed is tried with another lane. */
  async function newLaneIn(phase: string): Promise<Ward> {
    for (;;) {
      const name = `engine-${++count}`;
      const ward = wardOf(home, await home.json<ApiLane>(["add", name, "--wait", "0s"]));
      const { state } = await ward.until(`${phase} or ready`, (lane) => lane.state === phase || lane.state === "ready");
      if (state === phase) return ward;
      await home.json(["rm", name, "--yes", "--force"]);
    }
  }

  it.each([
    ["creating", 0],
    ["creating", 20],
    ["starting", 0],
    ["starting", 50],
    ["probing", 0],
  ])("brings a lane up although the service is killed when it is %s (for %i ms)", async (phase, forMs) => {
    const ward = await newLaneIn(phase);
    // The moment of the fault, not a wait for anything: later in the call more is made that can be left behind.
    await new Promise((resolve) => setTimeout(resolve, forMs));
    process.kill((await service()).pid, "SIGKILL");
    const lane = await ward.readyAs(1);
    expect((await home.lane(["run", ward.name, "--", "echo", "works"])).stdout).toBe("works\n");
    await expectOnly(home, [lane]);
  });

  it("gives a stopped lane another port when its own was taken meanwhile", async () => {
    const ward = await newLane();
    await home.json(["stop", ward.name]);
    const port = Number(new URL(ward.born.endpoint as string).port);
    const squatter = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
    try {
      const lane = await home.json<ApiLane>(["start", ward.name]);
      expect(lane).toMatchObject({ state: "ready", generation: 2 });
      expect(lane.endpoint).not.toBe(ward.born.endpoint);
      expect(await ward.causes()).toContain("engine.port_in_use");
      await expectOnly(home, [lane]);
    } finally {
      squatter.close();
    }
  });
});
