import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { renderUnit } from "./service-unit.ts";
import { runLane, type ScriptedDaemon, sampleStatus, startScriptedDaemon } from "./testing.ts";

const FACTS = { node: "/opt/node dir/bin/node", laned: '/src/50% "x" $HOME/laned', uid: 7, env: { PATH: "/a:/b" } };

describe("the unit", () => {
  it("keeps lanes alive, is started again when it fails, and takes no secret along", () => {
    const env = { ...FACTS.env, XDG_STATE_HOME: "/s", XDG_RUNTIME_DIR: "/run/user/7", ANTHROPIC_API_KEY: "sk-x" };
    const text = renderUnit({ ...FACTS, env });
    const lines = ["Type=exec", "Restart=on-failure", "KillMode=process", "WantedBy=default.target"];
    expect(text.split("\n")).toEqual(expect.arrayContaining([...lines, 'Environment="XDG_STATE_HOME=/s"']));
    expect(text).not.toMatch(/sk-x|RUNTIME/);
    expect(renderUnit({ ...FACTS, env: { XDG_RUNTIME_DIR: "/other" } })).toContain('"XDG_RUNTIME_DIR=/other"');
  });

  it("quotes what systemd would read otherwise", () => {
    expect(renderUnit(FACTS)).toContain(
      'ExecStart="/opt/node dir/bin/node" "/src/50%% \\"x\\" $$HOME/laned"\nEnvironment="PATH=/a:/b"\n',
    );
  });

  it("is one that systemd takes without a word", async ({ skip }) => {
    skip(!existsSync("/usr/bin/systemd-analyze"), "there is no systemd-analyze on this machine");
    const folder = await mkdtemp(path.join(os.tmpdir(), "lane-unit-"));
    try {
      const laned = path.join(folder, '50% "of" $HOME');
      await writeFile(laned, "");
      const unit = path.join(folder, "laned.service");
      await writeFile(unit, renderUnit({ ...FACTS, node: process.execPath, laned }));
      const said = execFileSync("systemd-analyze", ["verify", "--man=no", "--user", unit], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, XDG_RUNTIME_DIR: folder },
      });
      expect(said).toBe("");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("lane service", () => {
  let daemon: ScriptedDaemon;
  let unit: string;
  beforeEach(async () => {
    daemon = await startScriptedDaemon({ "GET /v1/status": () => ({ body: sampleStatus({ pid: 4711 }) }) });
    unit = path.join(daemon.folder, "config", "systemd", "user", "laned.service");
  });
  afterEach(() => daemon[Symbol.asyncDispose]());

  /** A systemd that writes down what it is asked for; none where `answer` is null. */
  async function service(words: string, answer: { readonly active: string; readonly linger: string } | null) {
    const bin = path.join(daemon.folder, "bin");
    await mkdir(bin, { recursive: true });
    const programs = {
      systemctl:
        answer === null
          ? 'echo "Failed to connect to bus: Host is down" >&2; exit 1'
          : `echo "$*" >>'${daemon.folder}/asked'; echo 'ActiveState=${answer.active}'; echo MainPID=12`,
      loginctl: `echo Linger=${answer?.linger ?? "no"}`,
    };
    for (const [name, script] of Object.entries(programs)) {
      await writeFile(path.join(bin, name), `#!/bin/sh\n${script}\n`);
      await chmod(path.join(bin, name), 0o755);
    }
    const env = { PATH: `${bin}:/usr/bin:/bin`, XDG_CONFIG_HOME: path.join(daemon.folder, "config") };
    const ran = await runLane(["service", ...words.split(" ")], { socket: daemon.socket, env });
    const asked = await readFile(path.join(daemon.folder, "asked"), "utf8").catch(() => "");
    await rm(path.join(daemon.folder, "asked"), { force: true });
    return { ...ran, asked: asked.split("\n").flatMap((line) => line.split("--no-pager ")[1] ?? []) };
  }

  it("installs, tells that lingering is off, shows and removes", async () => {
    await daemon.stop();
    const installed = await service("install", { active: "inactive", linger: "no" });
    expect(installed).toMatchObject({ code: 0, stdout: `laned.service is installed and started (${unit})\n` });
    expect(installed.stderr).toContain("loginctl enable-linger");
    expect(installed.asked.slice(-3)).toEqual(["daemon-reload", "enable laned.service", "start laned.service"]);
    expect(await readFile(unit, "utf8")).toContain("KillMode=process");

    const again = await service("install", { active: "active", linger: "yes" });
    expect(again.stderr).toBe("");
    expect(again.asked.at(-1)).toBe("restart laned.service");
    const shown = await service("status --json", { active: "active", linger: "yes" });
    expect(JSON.parse(shown.stdout)).toMatchObject({ installed: true, current: true, active: "active", pid: 12 });

    const gone = await service("uninstall", { active: "active", linger: "yes" });
    expect(gone.asked.slice(-2)).toEqual(["disable --now laned.service", "daemon-reload"]);
    expect(existsSync(unit)).toBe(false);
    expect(await service("uninstall", { active: "inactive", linger: "yes" })).toMatchObject({ code: 0 });
    expect(await service("status", { active: "inactive", linger: "yes" })).toMatchObject({ code: 3 });
  });

  it("does not start a second laned beside one that runs", async () => {
    const { code, asked, stderr } = await service("install", { active: "inactive", linger: "yes" });
    expect(code).toBe(0);
    expect(asked.at(-1)).toBe("enable laned.service");
    expect(stderr).toContain("laned already runs (pid 4711)");
  });

  it("says what to do where there is no systemd, and writes nothing", async () => {
    const { code, stdout, stderr } = await service("install", null);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/no systemd of this user here \(Failed to connect to bus: Host is down\)[\s\S]*lane up/);
    expect(existsSync(unit)).toBe(false);
    expect(await service("status", null)).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("does not answer"),
    });
    expect((await service("install --print", null)).stdout).toContain("[Service]\nType=exec\n");
    expect(existsSync(unit)).toBe(false);
  });
});
