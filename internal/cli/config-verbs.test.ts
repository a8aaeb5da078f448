import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { renderLane } from "./render-lane.ts";
import { createStyle } from "./style.ts";
import { runLane, type ScriptedDaemon, sampleLane, sampleWorkspace, startScriptedDaemon } from "./testing.ts";

const SHA = `3f9a1c22b0de${"0".repeat(52)}`;
const ASKED = {
  sha256: SHA,
  word: "pending",
  fields: [{ field: "image", was: "std:1", is: "evil\u001b[2J:1" }],
} as const;
const FILE = {
  ...{ workspace: "ws1", base: null, commit: "c".repeat(40), found: true, error: null },
  ...{ config: { image: "evil:1", setup: ["npm ci"] }, asked: ASKED },
};
const VALUES = [
  { key: "agent", value: "claude", origin: "workspace" },
  { key: "ports", value: null, origin: "installation" },
];
const SETUP = { state: "failed", job: "01job" } as const;

let folder: string;
let configFile: string;
let daemon: ScriptedDaemon;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "lk-config-"));
  configFile = path.join(folder, "new", "config.yaml");
  daemon = await startScriptedDaemon({
    "GET /v1/workspaces": () => ({ body: [sampleWorkspace()] }),
    "PATCH /v1/workspaces/ws1": () => ({ body: sampleWorkspace() }),
    "GET /v1/workspaces/ws1/repository": () => ({ body: FILE }),
    "POST /v1/workspaces/ws1/approve": () => ({ body: { ...FILE, asked: { ...ASKED, word: "approved" } } }),
    "GET /v1/lanes/fix/config": () => ({ body: { lane: "fix", commit: null, values: VALUES } }),
    "POST /v1/lanes/fix/setup": () => ({ body: sampleLane({ setup: { ...SETUP, state: "running" } }) }),
  });
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const lane = (...argv: string[]) => runLane(argv, { socket: daemon.socket, configFile });
const bodies = () => daemon.requests.filter(({ method }) => method !== "GET").map(({ body }) => body);

describe("config", () => {
  it("gets, sets and shows this installation's settings, with where they come from", async () => {
    expect(await lane("config", "path")).toMatchObject({ code: 0, stdout: `${configFile}\n` });
    expect((await lane("config", "get", "limits.pids")).stdout).toBe("4096\n");
    expect((await lane("config", "set", "limits.pids", "512")).code).toBe(0);
    expect(await readFile(configFile, "utf8")).toBe("limits:\n  pids: 512\n");
    expect((await stat(configFile)).mode & 0o777).toBe(0o600);
    expect((await lane("config", "get", "limits.pids")).stdout).toBe("512\n");
    expect((await lane("config", "show", "--origin")).stdout).toMatch(/limits\.pids +512 +\/.*config\.yaml:2\n/);
    expect(await lane("config", "set", "limits.pids", "many")).toMatchObject({ code: 2 });
    expect(await lane("config", "get", "limits.pid")).toMatchObject({ code: 2 });
    expect(daemon.requests).toEqual([]);
  });

  it("shows what is in force for a lane, and who has said it", async () => {
    const shown = await lane("config", "show", "--lane", "fix", "--origin");
    expect(shown.stdout).toMatch(/agent +claude +workspace\nports +- +installation\n/);
  });

  it("shows what a repository asks for, cleaned, and approves exactly that", async () => {
    const shown = await lane("config", "repository", "shop");
    expect(shown.stdout).toContain("image: std:1 -> evil");
    expect(shown.stdout).not.toContain("\u001b");
    expect(shown.stdout).toContain("lane config approve shop --pin 3f9a1c22b0de");
    expect((await lane("config", "approve", "shop", "--pin", "3f9a1c22b0df")).code).toBe(5);
    expect(bodies()).toEqual([]);
    expect((await lane("config", "approve", "shop", "--pin", "3f9a1c22b0de")).stdout).toContain("has approved");
    await lane("config", "approve", "shop", "--deny", "--base", "v1");
    expect(bodies()).toEqual([
      { sha256: SHA, word: "approved" },
      { sha256: SHA, word: "denied", base: "v1" },
    ]);
  });
});

describe("workspace set", () => {
  it("sends what is said, commands in their order", async () => {
    await lane("workspace", "set", "shop", "agent=claude", "limits.memory=1g", "setup=npm ci", "setup=a=b", "env.A=1");
    await lane("workspace", "set", "shop", "setup=", "teardown=x", "ports=3000,8080");
    await lane("workspace", "set", "shop", "packages=none");
    await lane("workspace", "set", "shop", "packages=");
    expect(bodies()).toEqual([
      { settings: { agent: "claude", memoryBytes: 2 ** 30, setup: ["npm ci", "a=b"], env: { A: "1" } } },
      { settings: { setup: null, teardown: ["x"], ports: [3000, 8080] } },
      { settings: { packages: { apt: [], npm: [] } } },
      { settings: { packages: null } },
    ]);
    expect(await lane("workspace", "set", "shop", "packages=apt:--foo")).toMatchObject({ code: 2 });
    expect(await lane("workspace", "set", "shop", "drift=now")).toMatchObject({ code: 2 });
    expect(await lane("workspace", "set", "nope", "agent=x")).toMatchObject({ code: 3 });
  });
});

describe("setup", () => {
  it("is run again or skipped, and shown", async () => {
    expect((await lane("setup", "fix")).stdout).toContain("by job 01job");
    await lane("setup", "fix", "--skip");
    expect(bodies()).toEqual([{}, { skip: true }]);
    const opts = { style: createStyle(false), width: undefined, nowMs: 0 };
    const more = { commit: "c".repeat(40), error: null, asked: { ...ASKED, fields: [...ASKED.fields] } };
    const ports = [{ container: 3000, host: 40_001 }];
    const text = renderLane(sampleLane({ setup: SETUP, repository: more, ports }), opts).join("\n");
    expect(text).toContain("failed, job 01job");
    expect(text).toMatch(/3000 at 127\.0\.0\.1:40001/);
    expect(text).toMatch(/of cccccccccccc; image without effect until: lane config approve/);
  });
});
