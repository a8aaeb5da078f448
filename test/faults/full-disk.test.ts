import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { eventually, newInstallation, sweepInstall } from "../support/installation.ts";
import { FAULTY_DIST } from "./build-setup.ts";
import { findViolations } from "./checker.ts";
import { agentArgv, countPhases, furnish, gatherEvidence } from "./evidence.ts";
import { say } from "./run-terms.ts";

const ROOT = process.getuid?.() === 0;
if (!ROOT) say("skipped: a full disk needs root to mount a small file system");

/** Jobs that are there before the disk is full: one runs, the others wait. */
const JOBS = 6;

describe("a full disk under the daemon", { timeout: 120_000 }, () => {
  it.skipIf(!ROOT)("refuses jobs clearly, forgets none, and goes on by itself when there is room", async () => {
    await using home = await newInstallation({ dist: FAULTY_DIST });
    const disk = join(home.dir, "s");
    await execa("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", disk]);
    try {
      const pid = await home.up();
      await home.json(["workspace", "add", await home.repository()]);
      const lane = await home.json<ApiLane>(["add", "full"]);
      await furnish(lane);
      const argv = agentArgv({ lines: 4, pauseS: 0.1 });
      const run = ["run", "full", "--detach", "--", ...argv];
      const acknowledged: string[] = [];
      for (let n = 0; n < JOBS; n++) acknowledged.push((await home.json<ApiJob>(run)).id);

      const filler = join(disk, "filler");
      await execa("dd", ["if=/dev/zero", `of=${filler}`, "bs=4k"], { reject: false });
      const refused = await eventually(
        async () => {
          const result = await home.lane([...run.slice(0, 3), "--json", ...run.slice(3)]);
          if (result.code === 0) acknowledged.push((JSON.parse(result.stdout) as ApiJob).id);
          return result.code === 0 ? null : result;
        },
        { what: "a refusal for want of room", withinMs: 30_000 },
      );
      const plain = await home.lane(run);
      await truncate(filler, 0);
      await eventually(() => countPhases(home).succeeded === acknowledged.length, {
        what: "the end of all jobs",
        withinMs: 60_000,
      });
      const after = await home.json<ApiJob>(run);
      acknowledged.push(after.id);
      await eventually(async () => (await callApi<ApiJob>(home, "GET", `/v1/jobs/${after.id}`)).state === "succeeded", {
        what: "a job once there is room",
      });

      expect([refused.code, plain.code, plain.stdout]).toEqual([1, 1, ""]);
      expect(refused.stdout + refused.stderr).toContain('"store.full"');
      expect(plain.stderr).toMatch(/no room left to write .*lanekeeper\.db[\s\S]*free space/);
      // Without a restart.
      expect(await home.daemonPid()).toBe(pid);
      const evidence = await gatherEvidence(home, { lanes: [lane], acknowledged });
      expect(findViolations(evidence)).toEqual([]);
      expect(evidence.jobs).toHaveLength(acknowledged.length);
      say(`full disk: ${acknowledged.length} jobs acknowledged, 0 lost, the same laned goes on;`);
      say(`  it said: ${plain.stderr.trim().split("\n")[0]?.replace(disk, "...")}`);
    } finally {
      await home.lane(["down"]);
      // With the folder goes the install id, by which everything else is found.
      await sweepInstall(await home.installId());
      await execa("umount", ["-l", disk], { reject: false });
    }
  });
});

describe("a damaged page in the middle of the database", { timeout: 60_000 }, () => {
  it("keeps laned from starting, with a message that names the file, the backup and the next step", async () => {
    await using home = await newInstallation({ dist: FAULTY_DIST });
    await home.up();
    await home.lane(["down"]);
    const path = join(home.stateDir, "lanekeeper.db");
    const whole = await readFile(path);
    const pages = whole.length / 4096;
    const bad = Buffer.from(whole).fill(0xa5, Math.floor(pages / 2) * 4096, (Math.floor(pages / 2) + 1) * 4096);
    await writeFile(path, bad);
    const { code, stderr } = await home.laned();
    const said = stderr.split("\n").filter((line) => !line.startsWith("{"));
    expect([code, said.length]).toEqual([1, 2]);
    expect(said[0]).toContain(`the store ${path} is damaged: `);
    expect(said[1]).toMatch(/^ {2}next: .*move it .* aside and restore a backup \(.*lanekeeper\.db\.before-v\*\)/);
    expect(stderr).not.toMatch(/\n\s+at /);
    const up = await home.lane(["up"]);
    expect([up.code === 0, up.stderr.includes(`the store ${path} is damaged`)]).toEqual([false, true]);
    expect((await readFile(path)).equals(bad)).toBe(true);
    // Put back, it is as it was.
    await writeFile(path, whole);
    await home.up();
    say(`damaged page ${Math.floor(pages / 2)} of ${pages}: laned refuses to start, exit ${code}; file untouched`);
  });
});
