import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../../../test/support/installation.ts";
import { startRegistry, type TestRegistry } from "../../../test/support/npm-registry.ts";
import type { InstallSpec, LanePlatform } from "../../agents/index.ts";
import { AppError } from "../../base/index.ts";
import { startTimeOf } from "../process-table.ts";
import { type AgentCache, openAgentCache } from "./agent-cache.ts";
import { createNpm } from "./npm.ts";

const SPEC: InstallSpec = {
  package: "@vendor/tool",
  programPackage: ({ os, cpu, libc }) => `@vendor/tool-${os}-${cpu}-${libc}`,
  program: () => "bin/tool",
  runtime: "binary",
};
const PLATFORM: LanePlatform = { os: "linux", cpu: "x64", libc: "glibc" };
const TOOL = { agent: "tool", spec: SPEC } as const;
const PROGRAM = "#!/bin/sh\necho tool\n";

/** npm takes most of a second to start. */
const PATIENCE_MS = 30_000;

describe("the agents on this host", { timeout: PATIENCE_MS }, () => {
  let dir: string;
  let root: string;
  let registry: TestRegistry;
  let cache: AgentCache;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "lk-agents-"));
    root = join(dir, "agents");
    registry = await startRegistry();
    await publish("1.0.0");
    await publish("1.1.0");
    cache = await open();
  });
  afterEach(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  const open = (env: Record<string, string | undefined> = {}) =>
    openAgentCache({
      root,
      platform: PLATFORM,
      npm: createNpm({
        PATH: process.env.PATH,
        HOME: dir,
        npm_config_registry: registry.url,
        npm_config_cache: join(dir, "npm"),
        ...env,
      }),
      nowMs: () => Date.UTC(2026, 0, 2),
    });

  /** A wrapper, and its program for three platforms. A script of it would leave a mark. */
  async function publish(version: string, program = PROGRAM) {
    const name = (libc: string, cpu: string) => `@vendor/tool-linux-${cpu}-${libc}`;
    const platforms = [
      ["glibc", "x64"],
      ["musl", "x64"],
      ["glibc", "arm64"],
    ] as const;
    const optionalDependencies = Object.fromEntries(platforms.map(([libc, cpu]) => [name(libc, cpu), version]));
    const scripts = { postinstall: `touch ${join(dir, "script-ran")}` };
    await registry.publish(
      { name: SPEC.package, version, files: { "readme.md": "x" }, more: { optionalDependencies, scripts } },
      ...platforms.map(([libc, cpu]) => ({
        name: name(libc, cpu),
        version,
        files: { "bin/tool": program, "data.txt": "1" },
        more: { os: ["linux"], cpu: [cpu], libc: [libc] },
      })),
    );
  }

  const install = (version: string, signal?: AbortSignal) => cache.install({ ...TOOL, version }, { signal });
  const staged = async () => (await readdir(root)).filter((name) => name.startsWith("."));
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => null,
      (error: unknown) => (error instanceof AppError ? error : Promise.reject(error)),
    );

  it("installs one version for the lane's platform, read-only, without running anything of it", async () => {
    const { installed, isNew } = await install("1.0.0");
    expect(isNew).toBe(true);
    expect(installed).toMatchObject({
      agent: "tool",
      version: "1.0.0",
      platform: "linux-x64-glibc",
      package: "@vendor/tool",
      program: "node_modules/@vendor/tool-linux-x64-glibc/bin/tool",
      installedAt: "2026-01-02T00:00:00.000Z",
    });
    expect(installed.tree).toBe(join(root, "tool", "1.0.0-linux-x64-glibc", "tree"));
    expect(await readdir(join(installed.tree, "node_modules", "@vendor"))).toEqual(["tool", "tool-linux-x64-glibc"]);
    expect(await readdir(join(installed.tree, "node_modules"))).toEqual(["@vendor"]);
    const mode = async (path: string) => (await stat(join(installed.tree, path))).mode & 0o7777;
    expect(await mode(installed.program)).toBe(0o555);
    expect(await mode("node_modules/@vendor/tool/readme.md")).toBe(0o444);
    expect(await mode("node_modules/@vendor")).toBe(0o755);
    expect(await readdir(dir)).not.toContain("script-ran");
    expect(await staged()).toEqual([]);
  });

  it("has the same digest wherever it comes from, and another for any other content", async () => {
    const first = (await install("1.0.0")).installed;
    await cache.remove("tool", "1.0.0");
    expect(await readdir(join(root, "tool"))).toEqual([]);
    await registry[Symbol.asyncDispose]();
    registry = await startRegistry();
    await publish("1.0.0");
    cache = await open({ npm_config_cache: join(dir, "npm-2") });
    expect((await install("1.0.0")).installed.sha256).toBe(first.sha256);
    await publish("1.0.1", `${PROGRAM}\n`);
    cache = await open({ npm_config_cache: join(dir, "npm-3") });
    expect((await install("1.0.1")).installed.sha256).not.toBe(first.sha256);
  });

  it("pins what is the latest now, and installs nothing twice", async () => {
    expect((await install("latest")).installed.version).toBe("1.1.0");
    const downloads = registry.downloads.length;
    expect(await install("1.1.0")).toMatchObject({ isNew: false, installed: { version: "1.1.0" } });
    await publish("1.2.0");
    expect((await open()).list().map(({ version }) => version)).toEqual(["1.1.0"]);
    expect(registry.downloads.length).toBe(downloads);
  });

  it("gives lanes the version in use, by the same array until it changes, also after a restart", async () => {
    await install("1.0.0");
    await install("1.1.0");
    const before = cache.specs();
    expect([before, cache.inUse("tool")]).toEqual([[], null]);
    await cache.use("tool", "1.1.0");
    const specs = cache.specs();
    expect(specs).toEqual([
      {
        agent: "tool",
        version: "1.1.0",
        hostPath: join(root, "tool", "1.1.0-linux-x64-glibc", "tree"),
        target: "/opt/agents/tool",
        program: "/opt/agents/tool/node_modules/@vendor/tool-linux-x64-glibc/bin/tool",
        sha256: cache.list()[1]?.sha256,
      },
    ]);
    expect(cache.specs()).toBe(specs);
    expect((await open()).specs()).toEqual(specs);
    await cache.use("tool", null);
    expect([cache.specs(), (await open()).inUse("tool")]).toEqual([[], null]);
    expect(await failure(cache.use("tool", "3.0.0"))).toMatchObject({ code: "agent.not_found" });
  });

  it("keeps the version in use, and removes others", async () => {
    await install("1.0.0");
    await install("1.1.0");
    await cache.use("tool", "1.1.0");
    expect(await failure(cache.remove("tool", "1.1.0"))).toMatchObject({ code: "agent.in_use" });
    await cache.remove("tool", "1.0.0");
    expect(cache.list().map(({ version }) => version)).toEqual(["1.1.0"]);
    expect(await failure(cache.remove("tool", "1.0.0"))).toMatchObject({ code: "agent.not_found" });
    expect(await staged()).toEqual([]);
  });

  it("lets two install the same version at once: both have it", async () => {
    const both = await Promise.all([
      install("1.0.0"),
      install("1.0.0"),
      (await open()).install({ ...TOOL, version: "1.0.0" }, {}),
    ]);
    expect(new Set(both.map(({ installed }) => installed.sha256)).size).toBe(1);
    expect(await readdir(join(root, "tool"))).toEqual(["1.0.0-linux-x64-glibc"]);
    expect(await staged()).toEqual([]);
  });

  it("replaces what is no installation", async () => {
    await mkdir(join(root, "tool", "1.0.0-linux-x64-glibc", "tree"), { recursive: true });
    await writeFile(join(root, "tool", "1.0.0-linux-x64-glibc", "manifest.json"), "{");
    cache = await open();
    expect(cache.list()).toEqual([]);
    await install("1.0.0");
    expect(cache.list()).toHaveLength(1);
  });

  it("ends with its caller, and leaves nothing", async () => {
    registry.hold(true);
    const stop = new AbortController();
    const failed = failure(install("1.0.0", stop.signal));
    await eventually(() => registry.downloads.length > 0, { what: "a download" });
    expect(await staged()).toHaveLength(1);
    stop.abort();
    expect(await failed).toMatchObject({ code: "cancelled" });
    expect([await staged(), cache.list()]).toEqual([[], []]);
    registry.hold(false);
    expect((await install("1.0.0")).isNew).toBe(true);
  });

  it("takes away what a killed installer left, with the npm that still writes to it", async () => {
    registry.hold(true);
    const settings = JSON.stringify({ root, registry: registry.url, home: dir });
    const installer = spawn(
      process.execPath,
      ["--import", "tsx", join(import.meta.dirname, "testing-installer.ts"), settings],
      {
        stdio: "inherit",
      },
    );
    await eventually(() => registry.downloads.length > 0, { what: "a download" });
    const [name = ""] = await staged();
    const npm = await eventually(() => findMarked(join(root, name)), { what: "its npm" });
    installer.kill("SIGKILL");
    await eventually(() => startTimeOf(installer.pid ?? 0) === null, { what: "its end" });
    expect(startTimeOf(npm)).not.toBeNull();
    expect(await staged()).toEqual([name]);

    cache = await open();
    expect(startTimeOf(npm)).toBeNull();
    expect([await staged(), cache.list()]).toEqual([[], []]);
    registry.hold(false);
    expect((await install("1.0.0")).isNew).toBe(true);
  });

  it("leaves alone what another living process is making", async () => {
    const name = `.staging-${process.ppid}-${startTimeOf(process.ppid)}-abc`;
    await mkdir(join(root, name));
    await open();
    expect(await staged()).toEqual([name]);
  });

  it.each(["", "1", "1.0", "^1.0.0", "next", "1.0.0 ", "../1.0.0", "1.0.0-../..", "v1.0.0", "file:/x"])(
    "takes no version %j",
    async (version) => {
      expect(await failure(install(version))).toMatchObject({ code: "usage.invalid" });
    },
  );

  it("says what was wrong: no such version, other content than named, no program", async () => {
    expect(await failure(install("9.9.9"))).toMatchObject({
      code: "agent.not_found",
      message: "npm knows no @vendor/tool@9.9.9",
    });
    registry.corrupt(true);
    expect(await failure(install("1.1.0"))).toMatchObject({ code: "agent.install_failed", retry: "retryable" });
    registry.corrupt(false);
    await registry.publish({ name: SPEC.package, version: "2.0.0", files: {} });
    expect(await failure(install("2.0.0"))).toMatchObject({
      code: "agent.install_failed",
      message: "tool@2.0.0: its program did not come with it",
    });
    expect([await staged(), cache.list()]).toEqual([[], []]);
  });

  it("says that there is no npm, and no network", async () => {
    await mkdir(join(dir, "empty"));
    cache = await open({ PATH: join(dir, "empty") });
    expect(await failure(install("1.0.0"))).toMatchObject({ code: "host.tool_missing" });
    cache = await open({ npm_config_registry: "http://127.0.0.1:9/" });
    expect(await failure(install("1.0.0"))).toMatchObject({
      code: "agent.install_failed",
      message: "@vendor/tool@1.0.0: the npm registry cannot be reached (ECONNREFUSED)",
      retry: "retryable",
    });
  });

  it("passes npm its configuration, and nothing else of the environment", async () => {
    await mkdir(join(dir, "bin"));
    const fake = join(dir, "bin", "npm");
    await writeFile(fake, `#!/bin/sh\nenv > ${join(dir, "env")}\necho 'npm error code ENOSPC' >&2\nexit 1\n`);
    await chmod(fake, 0o755);
    cache = await open({
      PATH: `${join(dir, "bin")}:/usr/bin:/bin`,
      HTTPS_PROXY: "http://p:1",
      ANTHROPIC_API_KEY: "secret",
    });
    expect(await failure(install("1.0.0"))).toMatchObject({ code: "store.full" });
    const seen = await readFile(join(dir, "env"), "utf8");
    expect(seen).toContain("HTTPS_PROXY=http://p:1");
    expect(seen).not.toContain("secret");
    await rm(fake);
  });
});

async function findMarked(folder: string): Promise<number | null> {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const environ = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environ.includes(`LANEKEEPER_STAGING=${folder}`)) return Number(pid);
  }
  return null;
}
