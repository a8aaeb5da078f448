import { existsSync } from "node:fs";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiLane, ApiStatus } from "../../internal/protocol/api.ts";
import {
  type CliResult,
  eventually,
  type Installation,
  newInstallation,
  sweepInstall,
} from "../support/installation.ts";

/** Every refusal names a next step, on stderr, and says nothing on stdout. */
function expectRefusal(result: CliResult, code: number, text: string | RegExp): void {
  expect(result.code, result.stderr).toBe(code);
  expect(result.stderr).toMatch(text);
  expect(result.stderr).toMatch(/next: |hint: |→ |lane |try /);
}

describe("bad input", () => {
  let home: Installation;
  let repo: string;

  beforeAll(async () => {
    home = await newInstallation();
    repo = await home.repository();
    await home.up();
    await home.json(["workspace", "add", repo]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());

  it.each([
    ["a newline", "a\nb"],
    ["300 characters", "x".repeat(300)],
    ["a path upwards", "../x"],
    ["a slash", "a/b"],
    ["nothing", ""],
    ["two dots", "a..b"],
    ["a control character", "a\u0007b"],
    ["a semicolon", "a;id"],
  ])("refuses a lane name with %s", async (_what, name) => {
    expectRefusal(await home.lane(["add", name]), 2, /lane name/);
    expect(await home.json<ApiLane[]>(["ls"])).toEqual([]);
  });

  it("refuses a lane name with a leading dash, before and behind --", async () => {
    expect((await home.lane(["add", "-x"])).code).toBe(2);
    expectRefusal(await home.lane(["add", "--", "-x"]), 2, /lane name/);
  });

  it.each([
    ["show", "nobody"],
    ["drift", "nobody"],
    ["history", "nobody"],
    ["start", "nobody"],
    ["rm", "nobody", "--yes"],
    ["logs", "nobody"],
    ["run", "nobody", "--", "true"],
  ])("says that a lane is not there: %s", async (...args) => {
    expectRefusal(await home.lane(args), 3, /no lane/);
  });

  it("refuses a folder that is no repository, and one without a commit", async () => {
    const plain = join(home.dir, "plain");
    await mkdir(plain);
    expect((await home.lane(["workspace", "add", plain])).code).not.toBe(0);
    const empty = join(home.dir, "empty");
    await execa("git", ["init", "-q", empty]);
    const result = await home.lane(["workspace", "add", empty]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain("commit");
  });

  it("refuses unknown settings by name", async () => {
    await home.json(["add", "settings"]);
    const result = await home.lane(["set", "settings", "colour=red"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain("colour");
  });

  it("refuses a second lane of one name with 5", async () => {
    expectRefusal(await home.lane(["add", "settings"]), 5, /already/);
  });

  it("fails a lane with a missing image at once, names it, and recovers when it is there", async () => {
    const image = `localhost/lk-missing-${await home.installId()}:1`;
    const added = await home.lane(["add", "imageless", "--image", image]);
    expect(added.code).toBe(125);
    expect(added.stderr).toContain(image);
    const lane = await home.json<ApiLane>(["show", "imageless"]);
    expect(lane).toMatchObject({ state: "failed", cause: { code: "engine.image_missing" } });
    await execa("podman", ["tag", "localhost/lane-runtime:local", image]);
    try {
      await eventually(async () => (await home.json<ApiLane>(["show", "imageless"])).state === "ready", {
        what: "the lane, once its image is there",
      });
    } finally {
      await execa("podman", ["untag", image, image], { reject: false });
    }
  });

  it("fails a lane whose worktree vanished, with the remedy, and recovers when it is back", async () => {
    const lane = await home.json<ApiLane>(["add", "homeless"]);
    await home.json(["stop", "homeless"]);
    await rm(lane.worktree, { recursive: true });
    const started = await home.lane(["start", "homeless"]);
    expect(started.code).toBe(1);
    expect(started.stderr).toContain(lane.worktree);
    await execa("git", ["-C", repo, "worktree", "prune"]);
    await execa("git", ["-C", repo, "worktree", "add", lane.worktree, "homeless"]);
    expect((await home.lane(["start", "homeless"])).code).toBe(0);
  });

  it("passes 126 and 127 through for what cannot be executed", async () => {
    expect((await home.lane(["run", "settings", "--", "no-such-program"])).code).toBe(127);
    expect((await home.lane(["run", "settings", "--", "/workspace"])).code).toBe(126);
  });

  it("ends a job at its deadline with 124", async () => {
    expect((await home.lane(["run", "settings", "--deadline", "500ms", "--", "sleep", "60"])).code).toBe(124);
  });
});

describe("a machine that is not well", () => {
  it("says that no daemon runs, with 6", async () => {
    await using home = await newInstallation();
    expectRefusal(await home.lane(["ls"]), 6, /lane up/);
  });

  it("starts without Podman, says so in status, and refuses with 125", async () => {
    await using home = await newInstallation({ env: { PATH: await pathWithout("podman") } });
    const repo = await home.repository();
    await home.up();
    await home.json(["workspace", "add", repo]);
    const added = await home.lane(["add", "x"]);
    expect(added.code).toBe(125);
    expect(added.stderr).toMatch(/podman/i);
    expect((await home.json<ApiStatus>(["status"])).engine).toMatchObject({
      ok: false,
      error: { code: "engine.unavailable" },
    });
    expect((await home.json<ApiLane>(["show", "x"])).state).toBe("unknown");
    expect((await home.lane(["doctor"])).code).toBe(1);
  });

  it("does not replace a configured engine that refuses", async () => {
    await using home = await newInstallation({ env: { CONTAINER_HOST: "unix:///nonexistent/podman.sock" } });
    await home.up();
    const status = await eventually(
      async () => {
        const seen = await home.json<ApiStatus>(["status"]);
        return seen.engine.error === null ? null : seen;
      },
      { what: "the engine's refusal" },
    );
    expect(status.engine.error?.message).toContain("/nonexistent/podman.sock");
  });

  it("takes another port for a taken default, and refuses a taken configured one", async () => {
    const blocker = createServer();
    const port = await new Promise<number>((resolve) => {
      blocker.listen(0, "127.0.0.1", () => resolve((blocker.address() as { port: number }).port));
    });
    try {
      await using home = await newInstallation({ config: `api:\n  port: ${port}\n` });
      const up = await home.lane(["up"]);
      expect(up.code).not.toBe(0);
      expect(up.stderr).toContain(String(port));
    } finally {
      blocker.close();
    }
  });

  it("refuses a corrupt database without touching it", async () => {
    await using home = await newInstallation();
    await home.up();
    await home.lane(["down"]);
    const database = join(home.stateDir, "lanekeeper.db");
    await writeFile(database, "this is no database, but it is somebody's work\n".repeat(200));
    const up = await home.lane(["up"]);
    expect(up.code).not.toBe(0);
    expect(up.stderr).toContain(database);
    expect((await execa("head", ["-c", "20", database])).stdout).toBe("this is no database,");
  });

  it("says what is wrong in a configuration file, with its line", async () => {
    await using home = await newInstallation({ config: "limits:\n  memroy: 2g\n" });
    const up = await home.lane(["up"]);
    expect(up.code).not.toBe(0);
    expect(up.stderr).toMatch(/memroy/);
    expect(up.stderr).toMatch(/limits\.memory|memory/);
  });

  it("loses nothing on a full disk, says so, and goes on when there is room", async () => {
    await using home = await newInstallation();
    await execa("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", join(home.dir, "s")]);
    try {
      const repo = await home.repository();
      await home.up();
      await home.json(["workspace", "add", repo]);
      await home.json(["add", "full"]);
      const filler = join(home.dir, "s", "filler");
      await execa("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"], { reject: false });
      const refused = await eventually(
        async () => {
          const result = await home.lane(["run", "full", "--detach", "--", "true"]);
          return result.code === 0 ? null : result;
        },
        { what: "a refusal for want of space", withinMs: 30_000 },
      );
      expect(refused.stderr).toMatch(/full|space/i);
      await truncate(filler, 0);
      const run = await eventually(
        async () => {
          const result = await home.lane(["run", "full", "--", "echo", "room"]);
          return result.code === 0 ? result : null;
        },
        { what: "a job once there is room", withinMs: 30_000 },
      );
      expect(run.stdout).toBe("room\n");
      expect(existsSync(filler)).toBe(true);
    } finally {
      await home.lane(["down"]);
      // With the folder goes the install id, by which everything else is found.
      await sweepInstall(await home.installId());
      await execa("umount", ["-l", join(home.dir, "s")], { reject: false });
    }
  });
});

/** A PATH on which everything but one program is found. */
async function pathWithout(program: string): Promise<string> {
  const dir = join(process.env.TMPDIR ?? "/tmp", `lk-path-${process.pid}`);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  for (const tool of ["node", "git", "sh", "env", "setpriv", "ls", "cat"]) {
    const found = await execa("sh", ["-c", `command -v ${tool}`], { reject: false });
    if (found.exitCode === 0 && tool !== program) await execa("ln", ["-sf", found.stdout, join(dir, tool)]);
  }
  return dir;
}
