import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiAgent, ApiAgentVersion, ApiDrift, ApiLane } from "../../internal/protocol/api.ts";
import { DIST, eventually, type Installation, newInstallation } from "../support/installation.ts";
import { startRegistry, type TestRegistry } from "../support/npm-registry.ts";
import { inspectContainer } from "../support/podman.ts";
import { newWard, type Ward } from "../support/ward.ts";

const GEMINI = "/opt/agents/gemini/node_modules/@google/gemini-cli/bundle/gemini.js";

describe("installed agents", { timeout: 150_000 }, () => {
  let registry: TestRegistry;
  let home: Installation;
  let ward: Ward;

  beforeAll(async () => {
    registry = await startRegistry();
    // The real package's name and shape, so that it is the real adapter's installation.
    for (const version of ["0.0.1", "0.0.2", "0.0.3"]) await publish(version);
    home = await newInstallation({
      config: "timeouts: { relist: 1s }",
      // What this host's Node cannot run, a lane's may.
      env: { npm_config_registry: registry.url, npm_config_engine_strict: "true" },
    });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
  }, 120_000);
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  async function publish(version: string): Promise<void> {
    const program = `#!/usr/bin/env node\nconsole.log(${JSON.stringify(version)});\n`;
    const more = { engines: { node: ">=99" } };
    await registry.publish({ name: "@google/gemini-cli", version, files: { "bundle/gemini.js": program }, more });
  }
  const root = () => join(home.dir, "d", "lanekeeper", "agents");
  const exec = (...argv: string[]) => home.lane(["exec", ward.name, "--", ...argv]);
  const gemini = async () =>
    (await home.json<ApiAgent[]>(["agents", "ls"])).find(({ agent }) => agent === "gemini") as ApiAgent;

  it("are in every lane: the first version of one at once, read-only", async () => {
    const before = await gemini();
    expect(before).toMatchObject({ package: "@google/gemini-cli", inUse: null, versions: [] });
    const installed = await home.json<ApiAgentVersion>(["agents", "install", "gemini@0.0.1"]);
    expect(installed).toMatchObject({ agent: "gemini", version: "0.0.1", inUse: true, lanes: [] });
    ward = await newWard(home, "equipped");
    expect((await exec("node", GEMINI, "--version")).stdout).toBe("0.0.1\n");
    expect((await gemini()).versions).toMatchObject([{ version: "0.0.1", inUse: true, lanes: ["equipped"] }]);
    for (const path of [GEMINI, "/opt/agents/gemini/new"]) {
      const write = await exec("sh", "-c", `echo x > ${path}`);
      expect(write.code, path).not.toBe(0);
      expect(write.stderr).toContain("Read-only file system");
    }
    const { Mounts } = await inspectContainer(ward.born.containerName);
    const mount = Mounts.find(({ Destination }) => Destination === "/opt/agents/gemini");
    expect(mount).toMatchObject({ RW: false, Source: join(root(), "gemini", platformed("0.0.1"), "tree") });
  });

  it("of another version are drift: waiting for idle, then in the lane's next container", async () => {
    await home.json(["set", ward.name, "drift=hold"]);
    const second = await home.lane(["agents", "install", "gemini@0.0.2"]);
    expect(second.stdout).toMatch(/^gemini@0\.0\.2 is installed \(\d+ kB\)\n$/);
    expect(second.stderr).toContain("lane agents use gemini@0.0.2");
    expect((await home.lane(["agents", "use", "gemini@0.0.2"])).stdout).toBe("lanes get gemini@0.0.2\n");
    await ward.until("drifted", ({ drift }) => drift.length > 0);
    const { fields } = await home.json<ApiDrift>(["drift", ward.name]);
    expect(fields.every(({ part }) => part === "agents")).toBe(true);
    expect(fields).toContainEqual({ part: "agents", field: "[gemini].version", was: "0.0.1", is: "0.0.2" });
    expect((await exec("node", GEMINI)).stdout).toBe("0.0.1\n");

    const kept = await home.lane(["agents", "rm", "gemini@0.0.1"]);
    expect([kept.code, kept.stderr]).toEqual([5, expect.stringContaining("lane recreate equipped")]);
    expect((await home.lane(["agents", "rm", "gemini@0.0.2"])).code).toBe(5);

    await home.json(["set", ward.name, "drift=when-idle"]);
    await ward.readyAs(2);
    expect((await exec("node", GEMINI)).stdout).toBe("0.0.2\n");
    expect((await home.lane(["agents", "rm", "gemini@0.0.1"])).code).toBe(0);
    expect(await readdir(join(root(), "gemini"))).toEqual([platformed("0.0.2"), "in-use"]);
  });

  it("outlive the daemon, and a daemon that dies while it installs leaves nothing of it", async () => {
    registry.hold(true);
    const downloads = registry.downloads.length;
    const install = home.lane(["agents", "install", "gemini@0.0.3"]);
    await eventually(() => registry.downloads.length > downloads, { what: "the download" });
    await home.kill9();
    expect((await install).code).toBe(6);
    expect((await readdir(root())).filter((name) => name.startsWith(".staging"))).toHaveLength(1);
    await home.up();
    expect(await readdir(root())).toEqual(["gemini"]);
    expect((await gemini()).versions.map(({ version }) => version)).toEqual(["0.0.2"]);
    const lane = await ward.until("adopted", ({ state }) => state === "ready");
    expect(lane).toMatchObject({ generation: 2, drift: [] });
    registry.hold(false);
    expect(await home.json(["agents", "install", "gemini@latest"])).toMatchObject({ version: "0.0.3", inUse: false });
  });

  it("are not there half: a caller who goes away ends the installation", async () => {
    await publish("0.0.4");
    registry.hold(true);
    const downloads = registry.downloads.length;
    const argv = ["agents", "install", "gemini@0.0.4"];
    const cli = execa(join(DIST, "bin", "lane"), argv, { env: home.env, extendEnv: false, reject: false });
    await eventually(() => registry.downloads.length > downloads, { what: "the download" });
    cli.kill("SIGINT");
    expect((await cli).exitCode).toBe(130);
    await eventually(async () => (await readdir(root())).join() === "gemini", { what: "nothing left" });
    expect((await gemini()).versions.map(({ version }) => version)).toEqual(["0.0.2", "0.0.3"]);
    registry.hold(false);
  });

  it("that do not exist are refused, with the next step", async () => {
    const answers = await Promise.all(
      ["gemini@9.9.9", "nobody@1.0.0", "gemini@^1", "gemini", "shell@1.0.0"].map((word) =>
        home.lane(["agents", "install", word]),
      ),
    );
    expect(answers.map(({ code }) => code)).toEqual([3, 3, 2, 2, 2]);
    for (const { stderr } of answers) {
      expect(Math.max(...stderr.split("\n").map((line) => line.length)), stderr).toBeLessThanOrEqual(80);
    }
  });

  it("are taken out of lanes with none in use", async () => {
    await home.json(["agents", "use", "gemini@none"]);
    await ward.readyAs(3);
    expect((await exec("ls", "/opt/agents")).stdout).not.toContain("gemini");
    const lanes = await home.json<ApiLane[]>(["ls"]);
    expect(lanes.map(({ drift }) => drift)).toEqual([[]]);
  });
});

/** Hundreds of megabytes from the real registry, so only with FULL=1. */
describe.runIf(process.env.FULL === "1")("the real agents", { timeout: 600_000 }, () => {
  let home: Installation;

  beforeAll(async () => {
    home = await newInstallation();
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());

  it.each([
    ["gemini", "0.61.0", ["node", GEMINI]],
    ["claude", "2.1.329", ["/opt/agents/claude/node_modules/@anthropic-ai/claude-code-linux-x64/claude"]],
    [
      "codex",
      "0.169.0",
      ["/opt/agents/codex/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"],
    ],
  ])("%s answers in a lane", async (agent, version, program) => {
    await home.json(["agents", "install", `${agent}@${version}`]);
    const ward = await newWard(home, `with-${agent}`);
    const { stdout, stderr } = await home.lane(["exec", ward.name, "--", ...program, "--version"]);
    expect(stdout, stderr).toContain(version);
  });
});

/** A version's folder. */
function platformed(version: string): string {
  return `${version}-linux-${process.arch}-glibc`;
}
