import { chmod, mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { execRepair, observeHost } from "./probe-host.ts";
import { type DoctorProbes, runDoctor } from "./run-doctor.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "lane-doctor-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function observe(extra: { readonly cwd?: string; readonly searchPath?: string } = {}) {
  return observeHost({
    env: { PATH: extra.searchPath ?? "/usr/bin:/bin" },
    uid: process.getuid?.() ?? 0,
    cwd: extra.cwd ?? folder,
    stateFolder: path.join(folder, "state"),
    socket: path.join(folder, "api.sock"),
    apiPort: { port: 0, configured: false },
  });
}

function probes(change: Partial<DoctorProbes> = {}): DoctorProbes {
  return {
    observeHost: () => observe(),
    observePodman: () =>
      Promise.reject(
        new AppError({
          code: "engine.unavailable",
          message: "no engine",
          hint: "start one",
        }),
      ),
    repair: execRepair,
    ...change,
  };
}

describe("observeHost", () => {
  it("reads this machine without daemon, engine or state folder", async () => {
    const facts = await observe();
    expect(facts.tools.git?.version).toMatch(/^\d+\.\d+/);
    expect(facts.stateFolder.stat).toBeNull();
    expect(facts.stateFolder.freeBytes).toBeGreaterThan(0);
    expect(facts.daemon).toEqual({ kind: "absent" });
    expect(facts.worktree).toBeNull();
    expect(facts.memory.availableBytes).toBeLessThanOrEqual(facts.memory.totalBytes);
  });

  it("tells a daemon that answers from a stale socket", async () => {
    const server = createServer((_request, answer) => answer.end('{"build":"b1","api":"http://127.0.0.1:4711"}'));
    await new Promise<void>((resolve) => server.listen(path.join(folder, "api.sock"), resolve));
    try {
      expect((await observe()).daemon).toEqual({
        kind: "answers",
        build: "b1",
        api: "http://127.0.0.1:4711",
      });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe("runDoctor", () => {
  it("reports an engine that cannot be asked and does not stop there", async () => {
    const report = await runDoctor(probes());
    expect(report.ok).toBe(false);
    expect(report.checks.find((check) => check.id === "engine.reachable")).toMatchObject({
      level: "fail",
      detail: "no engine",
      fix: "start one",
    });
    expect(report.checks.find((check) => check.id === "git.version")?.level).toBe("ok");
  });

  it("mends an open state folder with --fix, and only then", async () => {
    await chmod(folder, 0o755);
    const open = {
      observeHost: async () => ({
        ...(await observe()),
        stateFolder: await folderFact(),
      }),
    };
    expect((await runDoctor(probes(open))).repairs).toEqual([]);
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
    const report = await runDoctor(probes(open), { fix: true });
    expect(report.repairs).toEqual([`done: chmod 700 ${folder}`]);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(report.checks.find((check) => check.id === "state.permissions")?.level).toBe("ok");
  });

  it("tells a repair that failed", async () => {
    await chmod(folder, 0o755);
    const report = await runDoctor(
      probes({
        observeHost: async () => ({
          ...(await observe()),
          stateFolder: await folderFact(),
        }),
        repair: () => Promise.reject(new Error("read-only")),
      }),
      { fix: true },
    );
    expect(report.repairs).toEqual([`failed: chmod 700 ${folder}: read-only`]);
  });

  it("ends when it is cancelled", async () => {
    await expect(runDoctor(probes(), { signal: AbortSignal.abort() })).rejects.toThrow();
  });
});

async function folderFact() {
  const seen = await stat(folder);
  return {
    path: folder,
    stat: { mode: seen.mode & 0o7777, uid: seen.uid },
    freeBytes: 1e12,
  };
}
