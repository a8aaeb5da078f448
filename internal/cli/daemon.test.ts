import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFakeLaned, type FakeLaned } from "./fake-laned.ts";
import { eventually } from "./testing.ts";

let laned: FakeLaned;
beforeEach(async () => {
  laned = await createFakeLaned();
});
afterEach(() => laned[Symbol.asyncDispose]());

describe("lane up and down", () => {
  it("starts laned in a session of its own, finds it the next time, and ends it", async () => {
    const first = await laned.lane(["up"]);
    const [pid = 0] = await laned.pids();
    expect(first).toMatchObject({
      code: 0,
      stdout: `laned is up (pid ${pid}, build b1)\npage: http://127.0.0.1:4711\n`,
    });
    expect(await sessionOf(pid)).toBe(pid);
    expect(await readFile(laned.logFile, "utf8")).toBe("laned starts\n");
    expect((await stat(laned.logFile)).mode & 0o777).toBe(0o600);

    expect(await laned.lane(["up"])).toMatchObject({ code: 0, stdout: expect.stringContaining("laned already runs") });
    expect(await laned.pids()).toEqual([pid]);

    expect(await laned.lane(["down"])).toMatchObject({ code: 0, stdout: expect.stringContaining("laned is stopped") });
    expect(await laned.alive()).toEqual([]);
    expect(await laned.lane(["down"])).toMatchObject({ code: 0, stdout: "laned is not running\n" });
  });

  it("names a laned of another build and leaves it alone", async () => {
    await laned.lane(["up"], { FAKE_BUILD: "b0" });
    const { code, stderr } = await laned.lane(["up"]);
    expect(code).toBe(5);
    expect(stderr).toMatch(/another build is running \(b0, [\s\S]*next: {2}lane down && lane up/);
    expect(await laned.alive()).toHaveLength(1);
  });

  it("shows the end of the log when laned does not come up", async () => {
    await laned.lane(["up"], { FAKE_DIE: "1" });
    const { code, stderr } = await laned.lane(["up"], { FAKE_DIE: "3" });
    expect(code).toBe(6);
    expect(stderr).toMatch(
      /laned ended at once \(exit code 3\)\nlast log lines:\n {2}laned starts\n {2}cannot read the configuration\nnext:/,
    );
    expect((await laned.lane(["up"], { FAKE_DIE: "2" })).code).toBe(2);
  });

  it("says what to do when laned is not built", async () => {
    const { code, stderr } = await laned.lane(["up"], {}, { laned: "/nowhere/laned" });
    expect(code).toBe(1);
    expect(stderr).toContain("make build");
  });

  it("is safe to call twice at once: one laned, both content", async () => {
    const both = await Promise.all([laned.lane(["up"]), laned.lane(["up"])]);
    expect(both.map(({ code, stderr }) => [code, stderr.replace("starting laned\n", "")])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    expect(await laned.alive()).toHaveLength(1);
  });

  it("comes up without an engine and says so", async () => {
    const { code, stdout } = await laned.lane(["up"], { FAKE_ENGINE: "none" });
    expect(code).toBe(0);
    expect(stdout).toContain("without an engine: no podman\nnext: install it");
  });

  it("prints the status as JSON", async () => {
    expect(JSON.parse((await laned.lane(["up", "--json"])).stdout)).toMatchObject({ build: "b1" });
    expect(JSON.parse((await laned.lane(["down", "--json"])).stdout)).toMatchObject({ stopped: true });
  });

  it("runs in the foreground until it ends, and passes its exit code on", async () => {
    const running = laned.lane(["up", "--foreground"]);
    await eventually("laned", () => existsSync(laned.socket));
    process.kill((await laned.pids())[0] ?? 0, "SIGTERM");
    expect((await running).code).toBe(0);
    expect((await laned.lane(["up", "--foreground"], { FAKE_DIE: "3" })).code).toBe(3);
  });
});

describe("lane doctor", () => {
  const check = (level: string, fix: string | null) => ({ id: "x", title: "Podman", level, detail: "ARGS", fix });

  it("renders what laned doctor found, and passes --fix on", async () => {
    const answer = { ok: true, checks: [check("ok", null), check("warn", "do this")], repairs: ["done: chmod"] };
    const { code, stdout } = await laned.lane(["doctor", "--fix"], { FAKE_DOCTOR: JSON.stringify(answer) });
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        "done: chmod",
        "ok    Podman  doctor --json --fix",
        "warn  Podman  ARGS",
        "              fix: do this",
        "",
        "no check failed, 1 warning",
        "",
      ].join("\n"),
    );
  });

  it("exits 1 when a check failed, with JSON too", async () => {
    const answer = JSON.stringify({ ok: false, checks: [check("fail", "mend it")], repairs: [] });
    expect(await laned.lane(["doctor"], { FAKE_DOCTOR: answer })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("1 check failed, 0 warnings"),
    });
    const { code, stdout } = await laned.lane(["doctor", "--json"], { FAKE_DOCTOR: answer });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
  });

  it("tells an answer that is none", async () => {
    const { code, stderr } = await laned.lane(["doctor"], { FAKE_DOCTOR: '{"ok":true}' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/without an answer \(exit code 0\)\nstderr:\n {2}looking/);
  });
});

describe("lane demo", () => {
  const acts = async () =>
    (await laned.requests()).map((line) => line.replace(/^\d+ /, "")).filter((line) => !line.startsWith("GET"));

  it("--once: starts laned, makes workspace and lane, runs a job, and takes all of it away", async () => {
    const { code, stdout, stderr } = await laned.lane(["demo", "--once"], {}, { cwd: laned.folder });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "hello from the lane\n" });
    expect(stderr).toContain("lane demo is removed\n");
    expect(await acts()).toEqual([
      "POST /v1/workspaces",
      "POST /v1/lanes",
      "POST /v1/lanes/demo/ensure?wait=180000",
      "POST /v1/lanes/demo/jobs",
      "DELETE /v1/lanes/demo",
      "POST /v1/shutdown",
    ]);
    expect(await laned.alive()).toEqual([]);
  });

  it("--once: leaves a laned it joined, and one that others use", async () => {
    await laned.lane(["up"]);
    await laned.lane(["demo", "--once"], {}, { cwd: laned.folder });
    expect(await laned.alive()).toHaveLength(1);
    await laned.lane(["down"]);
    const { code } = await laned.lane(["demo", "--once"], { FAKE_LANES: "other" }, { cwd: laned.folder });
    expect(code).toBe(0);
    expect(await laned.alive()).toHaveLength(1);
  });

  it("starts laned again when it vanishes between join and use", async () => {
    await laned.lane(["up"], { FAKE_VANISH: "POST /v1/lanes" });
    const { code, stderr } = await laned.lane(["demo", "--once"], {}, { cwd: laned.folder });
    expect(code).toBe(0);
    expect(stderr).toContain("laned went away; starting it again");
    expect(await laned.pids()).toHaveLength(2);
    expect(await laned.alive()).toEqual([]);
  });

  it("passes the job's exit code on and cleans up all the same", async () => {
    const { code } = await laned.lane(["demo", "--once"], { FAKE_EXIT: "3" }, { cwd: laned.folder });
    expect(code).toBe(3);
    expect(await acts()).toContain("DELETE /v1/lanes/demo");
  });

  it("keeps a lane with work in it", async () => {
    const { code, stderr } = await laned.lane(["demo", "--once"], { FAKE_LOSES: "1" }, { cwd: laned.folder });
    expect(code).toBe(0);
    expect(stderr).toContain("lane demo is kept");
    expect(await laned.alive()).toHaveLength(1);
  });

  it("keeps serving until ^C when it started laned", async () => {
    const running = laned.lane(["demo"], {}, { cwd: laned.folder });
    await eventually("the address", () => running.stderrNow().includes("keeps serving"));
    expect(running.stderrNow()).toContain("page:  http://127.0.0.1:4711");
    expect(await laned.alive()).toHaveLength(1);
    running.signal("SIGINT");
    expect((await running).code).toBe(0);
    expect(await laned.alive()).toEqual([]);
    expect(await acts()).not.toContain("DELETE /v1/lanes/demo");
  });

  it("returns with the address when it joined one", async () => {
    await laned.lane(["up"]);
    const { code, stderr } = await laned.lane(["demo"], {}, { cwd: laned.folder });
    expect(code).toBe(0);
    expect(stderr).toContain("page:  http://127.0.0.1:4711");
    expect(await laned.alive()).toHaveLength(1);
  });

  it("names a laned of another build", async () => {
    await laned.lane(["up"], { FAKE_BUILD: "b0" });
    const { code, stderr } = await laned.lane(["demo", "--once"], {}, { cwd: laned.folder });
    expect(code).toBe(5);
    expect(stderr).toContain("lane down && lane up");
    expect(await laned.alive()).toHaveLength(1);
  });
});

async function sessionOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[3]);
}
