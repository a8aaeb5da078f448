import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { type Installation, newInstallation } from "../support/installation.ts";
import { type Inspected, inspectContainer, podman } from "../support/podman.ts";

describe("the first lane", () => {
  let home: Installation;
  let repo: string;
  let lane: ApiLane;
  let container: Inspected;

  beforeAll(async () => {
    home = await newInstallation();
    repo = await home.repository();
    await home.up();
    await home.json(["workspace", "add", repo]);
    lane = await home.json<ApiLane>(["add", "first"]);
    container = await inspectContainer(lane.containerName);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());

  const run = (...argv: string[]) => home.lane(["run", "first", "--", ...argv]);

  it("is ready with a worktree on a branch of its own", async () => {
    expect(lane).toMatchObject({ name: "first", state: "ready", branch: "first", generation: 1, drift: [] });
    expect(await readFile(join(lane.worktree, "hello.txt"), "utf8")).toBe("hello\n");
  });

  it("has one container of that name, with our labels (A2)", async () => {
    expect(lane.containerName).toBe(`lane-${await home.installId()}-${lane.id}`);
    expect(container.Config.Labels["io.lanekeeper.lane"]).toBe(lane.id);
    expect(container.Config.Labels["io.lanekeeper.generation"]).toBe("1");
    expect(container.Config.Labels["io.lanekeeper.fingerprint"]).toBe(lane.fingerprint);
    expect(container.HostConfig.RestartPolicy.Name).not.toBe("always");
  });

  it("mounts worker and inbox read-only, the worker being the entrypoint (A3)", async () => {
    for (const target of ["/usr/local/bin/lane-worker", "/usr/local/bin/inbox"]) {
      expect(container.Mounts.find((m) => m.Destination === target)).toMatchObject({ RW: false });
    }
    expect([container.Config.Entrypoint].flat().join(" ")).toBe("/usr/local/bin/lane-worker");
  });

  it("mounts the worktree at /workspace and works there (A4)", async () => {
    expect(container.Mounts.find((m) => m.Destination === "/workspace")).toMatchObject({
      Source: lane.worktree,
      RW: true,
    });
    expect((await run("pwd")).stdout).toBe("/workspace\n");
    expect((await run("cat", "hello.txt")).stdout).toBe("hello\n");
  });

  it("publishes the worker's port on loopback, drawn by Podman and read back (A5)", async () => {
    const binding = container.HostConfig.PortBindings["31417/tcp"]?.[0];
    expect(binding?.HostIp).toBe("127.0.0.1");
    expect(lane.endpoint).toBe(`http://127.0.0.1:${binding?.HostPort}`);
    expect((await fetch(`${lane.endpoint}/healthz`)).status).toBe(200);
  });

  it("sets the environment names the original set (A6)", async () => {
    const env = Object.fromEntries(
      (await run("env")).stdout.split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2)),
    );
    expect(env).toMatchObject({
      INBOX_WORKSPACE: "/workspace",
      INBOX_LANE_ID: lane.id,
      INBOX_RUNTIME_AGENT_ID: lane.containerName,
      INBOX_API_URL: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      HOME: "/lane/state/home",
    });
    expect(env.INBOX_WORKSPACE_ID).toBe(lane.workspace);
  });

  it("lets the container call the host API by the address in its environment (A14)", async () => {
    const context = await run("inbox", "context", "--json");
    expect(context.code, context.stderr).toBe(0);
    expect(JSON.parse(context.stdout)).toMatchObject({ lane: lane.id, name: "first", branch: "first" });
  });

  it("streams both outputs apart and passes the exit code through", async () => {
    const result = await run("sh", "-c", "echo out; echo err >&2; exit 7");
    expect(result).toMatchObject({ code: 7, stdout: "out\n" });
    expect(result.stderr).toContain("err\n");
  });

  it("passes bytes that are no text", async () => {
    const result = await home.lane([
      "run",
      "first",
      "--",
      "sh",
      "-c",
      "printf '\\377\\376x' | od -An -tx1; printf '\\303\\251'",
    ]);
    expect(result.stdout).toContain("ff fe 78");
    expect(result.stdout.endsWith("é")).toBe(true);
  });

  it("runs the agent as the owner of the worktree, without any capability, and files stay the owner's (B16)", async () => {
    const owner = await stat(lane.worktree);
    expect((await run("id", "-u")).stdout.trim()).toBe(String(owner.uid));
    const status = (await run("cat", "/proc/self/status")).stdout;
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect(status).toContain(`${set}:\t0000000000000000`);
    expect(status).toContain("NoNewPrivs:\t1");
    await run("sh", "-c", "echo made > made.txt");
    expect((await stat(join(lane.worktree, "made.txt"))).uid).toBe(owner.uid);
  });

  it("keeps the worker out of the agent's reach: no secret, no signal (T7)", async () => {
    expect((await run("cat", "/run/lane/secret")).code).not.toBe(0);
    const worker = (
      await run("sh", "-c", "for p in /proc/[0-9]*; do grep -q lane-worker $p/cmdline 2>/dev/null && basename $p; done")
    ).stdout;
    const pid = worker.split("\n").find((line) => Number(line) > 1);
    expect(pid, worker).toBeDefined();
    expect((await run("sh", "-c", `kill -9 ${pid}`)).code).not.toBe(0);
    expect((await run("sh", "-c", `cat /proc/${pid}/environ`)).code).not.toBe(0);
    // Nor can it put something in the place of what the worker executes.
    for (const path of ["/usr/local/bin/node", "/usr/bin/setpriv", "/bin/sh", "/usr/local/bin/lane-worker"]) {
      expect((await run("sh", "-c", `echo x >> ${path}`)).code, path).not.toBe(0);
    }
    expect((await home.json<ApiLane>(["show", "first"])).container).toBe(lane.container);
  });

  it("reuses the container for every job (A2)", async () => {
    const jobs = await home.json<ApiJob[]>(["jobs", "first"]);
    expect(jobs.length).toBeGreaterThan(5);
    expect(jobs.every((job) => job.attempt === 1)).toBe(true);
    expect((await home.json<ApiLane>(["show", "first"])).container).toBe(lane.container);
  });

  it("gives a job again for its key, and refuses the key for another body", async () => {
    const first = await home.json<ApiJob>(["run", "first", "--detach", "--key", "k1", "--", "echo", "one"]);
    const again = await home.json<ApiJob>(["run", "first", "--detach", "--key", "k1", "--", "echo", "one"]);
    expect(again.id).toBe(first.id);
    const other = await home.lane(["run", "first", "--detach", "--key", "k1", "--", "echo", "two"]);
    expect(other.code).toBe(5);
  });

  it("cancels a job with all that it started", async () => {
    const job = await home.json<ApiJob>([
      "run",
      "first",
      "--detach",
      "--",
      "sh",
      "-c",
      "(setsid sleep 4711 &) ; sleep 4712",
    ]);
    await home.lane(["job", "wait", job.id, "--timeout", "300ms"]);
    const cancelled = await home.json<ApiJob>(["job", "cancel", job.id]);
    expect(["cancelled", "running"]).toContain(cancelled.state);
    await home.lane(["job", "wait", job.id]);
    expect((await home.json<ApiJob>(["job", "show", job.id])).state).toBe("cancelled");
    expect((await run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")).stdout).not.toMatch(/sleep 471[12]/);
  });

  it("stops proven dead, keeps the container, and starts it again unchanged (A10, A12)", async () => {
    const stopped = await home.json<ApiLane>(["stop", "first"]);
    expect(stopped).toMatchObject({ state: "stopped", container: lane.container });
    expect((await inspectContainer(lane.containerName)).State.Status).toBe("exited");
    expect((await home.lane(["stop", "first"])).code).toBe(0);
    const started = await home.json<ApiLane>(["start", "first"]);
    expect(started).toMatchObject({ state: "ready", container: lane.container, generation: 1 });
    expect((await run("echo", "again")).stdout).toBe("again\n");
  });

  it("starts a stopped lane when a job comes", async () => {
    await home.json(["stop", "first"]);
    expect((await run("echo", "woken")).stdout).toBe("woken\n");
  });

  it("goes without a trace: container, network, volume and worktree", async () => {
    await home.json<ApiLane>(["add", "second"]);
    const second = await home.json<ApiLane>(["show", "second"]);
    const removed = await home.lane(["rm", "second", "--yes"]);
    expect(removed.code, removed.stderr).toBe(0);
    expect(existsSync(second.worktree)).toBe(false);
    for (const [kind, name] of [
      ["container", second.containerName],
      ["network", second.containerName],
      ["volume", `${second.containerName}-state`],
    ] as const) {
      await expect(podman(kind, "exists", name)).rejects.toThrow();
    }
    expect((await home.lane(["show", "second"])).code).toBe(3);
  });

  it("refuses to remove a lane with work that would be lost, and names it", async () => {
    await home.json(["add", "third"]);
    await home.lane(["run", "third", "--", "sh", "-c", "echo precious > only-here.txt"]);
    const refused = await home.lane(["rm", "third", "--yes"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("only-here.txt");
    expect((await home.json<ApiLane>(["show", "third"])).state).toBe("ready");
    expect((await home.lane(["rm", "third", "--yes", "--force"])).code).toBe(0);
  });
});
