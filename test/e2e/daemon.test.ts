import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiJob, ApiJobEvent, ApiLane, ApiStatus } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { containersWith, inspectContainer } from "../support/podman.ts";

describe("a daemon that comes and goes", () => {
  let home: Installation;
  const show = (name: string) => home.json<ApiLane>(["show", name]);

  beforeAll(async () => {
    home = await newInstallation();
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
    for (const name of ["a", "b"]) await home.json(["add", name]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());

  it("is killed and adopts every lane again: same container, start time and worker pid", async () => {
    const facts = async () => {
      const lanes = await Promise.all(["a", "b"].map(show));
      const containers = await Promise.all(lanes.map((lane) => inspectContainer(lane.containerName)));
      return containers.map(({ Id, State }, i) => ({
        Id,
        pid: State.Pid,
        startedAt: State.StartedAt,
        worker: lanes[i]?.workerPid,
        generation: lanes[i]?.generation,
      }));
    };
    const before = await facts();
    for (let round = 0; round < 3; round++) {
      await home.kill9();
      await home.up();
      for (const name of ["a", "b"])
        await eventually(async () => (await show(name)).state === "ready", { what: `lane ${name} adopted` });
      expect(await facts()).toEqual(before);
    }
    const history = await home.json<{ event: string }[]>(["history", "a"]);
    expect(history.filter((entry) => entry.event === "adopted")).toHaveLength(3);
    expect(history.filter((entry) => entry.event === "create")).toHaveLength(1);
  });

  it("loses no event of a job that runs while it is dead, and runs it once", async () => {
    const script =
      "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo line $i; sleep 0.2; done; echo ran >> ran.txt";
    const job = await home.json<ApiJob>(["run", "a", "--detach", "--", "sh", "-c", script]);
    await eventually(async () => (await home.json<ApiJob>(["job", "show", job.id])).state === "running", {
      what: "the job's start",
    });
    await home.kill9();
    await home.up();
    expect((await home.lane(["job", "wait", job.id])).code).toBe(0);
    const log = (await home.lane(["job", "events", job.id])).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as ApiJobEvent);
    expect(log.map((event) => event.seq)).toEqual(log.map((_, i) => i + 1));
    const output = log
      .filter((event) => event.type === "output")
      .map((event) => event.text as string)
      .join("");
    expect(output).toBe(Array.from({ length: 20 }, (_, i) => `line ${i + 1}\n`).join(""));
    expect((await home.lane(["run", "a", "--", "cat", "ran.txt"])).stdout).toBe("ran\n");
  });

  it("keeps an attached run going over its own death", async () => {
    const run = home.lane([
      "run",
      "b",
      "--",
      "sh",
      "-c",
      "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.3; done; exit 3",
    ]);
    await eventually(async () => (await home.json<ApiJob[]>(["jobs", "b"])).some((job) => job.state === "running"), {
      what: "the job's start",
    });
    await home.kill9();
    await home.up();
    expect(await run).toMatchObject({ code: 3, stdout: `${Array.from({ length: 12 }, (_, i) => i + 1).join("\n")}\n` });
  });

  it("lets only one of two live, and the loser says who holds it", async () => {
    const pid = await home.daemonPid();
    const second = await home.laned();
    expect(second.code).toBe(5);
    expect(second.stderr).toContain(String(pid));
    expect(await home.daemonPid()).toBe(pid);
  });

  it("stops on request, leaves the lanes running, and finds them again", async () => {
    const before = await show("a");
    expect((await home.lane(["down"])).code).toBe(0);
    expect((await home.lane(["ls"])).code).toBe(6);
    expect((await inspectContainer(before.containerName)).State.Status).toBe("running");
    await home.up();
    await eventually(async () => (await show("a")).state === "ready", { what: "lane a adopted" });
    expect((await show("a")).container).toBe(before.container);
  });
});

describe("many at once", () => {
  let home: Installation;

  beforeAll(async () => {
    home = await newInstallation();
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());

  it("makes one container of 20 ensures that find none", async () => {
    const lane = await callApi<ApiLane>(home, "POST", "/v1/lanes", { name: "fresh" });
    await Promise.all(Array.from({ length: 20 }, () => callApi<ApiLane>(home, "POST", `/v1/lanes/${lane.id}/ensure`)));
    expect(await containersWith(`io.lanekeeper.lane=${lane.id}`)).toHaveLength(1);
    const history = await home.json<{ event: string }[]>(["history", "fresh"]);
    expect(history.filter((entry) => entry.event === "create")).toHaveLength(1);
  });

  it("makes 10 lanes at once: 10 ready, 10 ports, none shared", async () => {
    const names = Array.from({ length: 10 }, (_, i) => `lane-${i}`);
    const lanes = await Promise.all(names.map((name) => home.json<ApiLane>(["add", name])));
    expect(lanes.map((lane) => lane.state)).toEqual(names.map(() => "ready"));
    expect(new Set(lanes.map((lane) => lane.endpoint)).size).toBe(10);
    const status = await home.json<ApiStatus>(["status"]);
    expect(status.lanes.ready).toBe(11);
  });

  it("shares a machine with another installation: no name, port or socket in common", async () => {
    await using other = await newInstallation();
    await other.up();
    await other.json(["workspace", "add", await other.repository()]);
    const theirs = await other.json<ApiLane>(["add", "fresh"]);
    const ours = await home.json<ApiLane>(["show", "fresh"]);
    expect(theirs.containerName).not.toBe(ours.containerName);
    expect(theirs.endpoint).not.toBe(ours.endpoint);
    const [a, b] = await Promise.all([home.json<ApiStatus>(["status"]), other.json<ApiStatus>(["status"])]);
    expect(a.socket).not.toBe(b.socket);
    expect(a.api).not.toBe(b.api);
    await other.json(["rm", "fresh", "--yes"]);
    expect((await home.json<ApiLane>(["show", "fresh"])).container).toBe(ours.container);
  });
});
