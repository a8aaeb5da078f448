import { beforeEach, describe, expect, it } from "vitest";
import { AppError, hasCode } from "../../internal/base/index.ts";
import { FakeRuntime } from "./fake-runtime.ts";
import { laneOf } from "./test-engine.ts";

const imageId = "a".repeat(64);
const profile = { runtime: null, nofile: null, nproc: null };
const lane = laneOf({ install: "i", lane: "one", imageId, worker: "/worker", tree: "/tree", profile });

let fake: FakeRuntime;
let id: string;

beforeEach(async () => {
  fake = new FakeRuntime();
  fake.images.set("image", imageId);
  ({ id } = await fake.createContainer(lane, {}));
  await fake.startContainer(id, {});
});

const statusOf = async () => (await fake.inspectContainer(id, {}))?.status ?? null;

/** What the knobs do beyond the contract that the fake shares with real Podman. */
describe("the knobs of the fake engine", () => {
  it("fail the next call only, without effect", async () => {
    fake.failNext("stopContainer", new AppError({ code: "engine.request_failed", message: "no" }));
    await expect(fake.stopContainer(id, { graceMs: 0 })).rejects.toThrow("no");
    expect(await statusOf()).toBe("running");
    await fake.stopContainer(id, { graceMs: 0 });
    expect(await statusOf()).toBe("exited");
  });

  it("hold a call until it is released, or cancelled", async () => {
    const release = fake.hold("stopContainer");
    const stopping = fake.stopContainer(id, { graceMs: 0 });
    expect(await statusOf()).toBe("running");
    release();
    await stopping;
    expect(await statusOf()).toBe("exited");
    fake.hold("facts");
    const stop = new AbortController();
    const asking = fake.facts({ signal: stop.signal });
    stop.abort();
    await expect(asking).rejects.toSatisfy((error) => hasCode(error, "cancelled"));
  });

  it("let a container vanish with its processes", async () => {
    expect(fake.processes.size).toBe(2);
    fake.vanish(id);
    expect(await statusOf()).toBeNull();
    expect(fake.processes.size).toBe(0);
  });

  it("lose the monitor: still running, and a stop proves nothing", async () => {
    const pid = (await fake.inspectContainer(id, {}))?.pid ?? 0;
    fake.loseMonitor(id);
    expect(await statusOf()).toBe("running");
    await fake.stopContainer(id, { graceMs: 0 });
    expect(await statusOf()).toBe("stopping");
    expect(fake.processes.has(pid)).toBe(true);
    await fake.removeContainer(id, {});
    expect(fake.processes.size).toBe(0);
  });

  it("take the engine away, with its event streams, and bring it back", async () => {
    const signal = new AbortController().signal;
    const watching = fake.watchEvents({ install: "i", signal, onOpen: () => undefined, onEvent: () => undefined });
    fake.setUnavailable("down");
    await expect(watching).rejects.toSatisfy((error) => hasCode(error, "engine.unavailable"));
    await expect(fake.facts({})).rejects.toSatisfy((error) => hasCode(error, "engine.unavailable"));
    fake.setUnavailable(null);
    expect(await statusOf()).toBe("running");
  });

  it("keep a record of calls and of what the container wrote", async () => {
    fake.writeLog(id, "one", "two");
    expect(await fake.containerLogs(id, { lines: 1 })).toEqual(["two"]);
    expect(fake.calls.map((call) => call.method)).toEqual(["createContainer", "startContainer", "containerLogs"]);
  });
});
