import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { SETTING_KEYS, variablesOf } from "./keys.ts";
import { isConfigured, loadConfig, renderOrigin } from "./load-config.ts";
import { parseSizeBytes } from "./values.ts";

const file = (text: string, path = "/c/config.yaml") => ({ path, text });
const load = (text: string, env = {}, flags = {}) =>
  loadConfig({ env, flags, files: [file(text)], facts: { cores: 8 } });

function failure(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("did not fail");
}

describe("loadConfig", () => {
  it("has the documented defaults", () => {
    const agent = { credentials: "auto", syncCommand: null, writeBack: false, args: [], env: {} };
    const { settings } = loadConfig({ env: {}, files: [], facts: { cores: 8 } });
    expect(settings).toEqual({
      api: { port: 4711 },
      engine: { address: null, runtime: null, ulimits: { nofile: null, nproc: null } },
      image: "localhost/lane-runtime:local",
      limits: { memoryBytes: null, cpus: null, pids: 4096 },
      lanes: { concurrency: 4 },
      jobs: {
        max: null,
        minFreeMemoryBytes: 2 ** 29,
        stuckAfterMs: 600_000,
        stuckAction: "tell",
        keepForMs: 2_592_000_000,
        keepBytes: 10 * 2 ** 30,
      },
      inbox: { keepForMs: 7_776_000_000 },
      tasks: { accept: "ask" },
      mounts: { allow: [] },
      credentials: { folder: null },
      agent: null,
      skills: "all",
      agents: { claude: agent, codex: agent, gemini: agent },
      log: { level: "info" },
      timeouts: {
        startupMs: 120_000,
        stopGraceMs: 10_000,
        stopDrainMs: 30_000,
        relistMs: 5000,
        pingMs: 4000,
        pingAnswerMs: 2000,
        hungMs: 60_000,
        cancelMs: 60_000,
        settleMs: 2000,
        orphanGraceMs: 60_000,
        shutdownMs: 20_000,
      },
      backoff: { baseMs: 1000, maxMs: 60_000, windowMs: 600_000, forgetMs: 600_000, failures: 8 },
    });
    expect(loadConfig({ env: {}, files: [], facts: { cores: 2 } }).settings.lanes.concurrency).toBe(2);
  });

  it("takes flag over variable over file over default, and says which", () => {
    const text = "api:\n  port: 5000\n";
    const at = (env: object, flags: object, yaml = text) => {
      const config = load(yaml, env, flags);
      return [config.settings.api.port, renderOrigin(config.origins["api.port"]), isConfigured(config, "api.port")];
    };
    expect(at({}, {}, "")).toEqual([4711, "default", false]);
    expect(at({}, {})).toEqual([5000, "/c/config.yaml:2", true]);
    expect(at({ LANEKEEPER_API_PORT: "6000" }, {})).toEqual([6000, "LANEKEEPER_API_PORT", true]);
    expect(at({ LANEKEEPER_API_PORT: "" }, {})).toEqual([5000, "/c/config.yaml:2", true]);
    expect(at({ LANEKEEPER_API_PORT: "6000" }, { "api.port": "7000" })).toEqual([7000, "flag", true]);
  });

  it("the first of several files wins, value by value", () => {
    const files = [file("image: a:1\n", "/one"), file("image: b:2\nlimits: {pids: 99}\n", "/two")];
    const config = loadConfig({ env: {}, files, facts: { cores: 1 } });
    expect([config.settings.image, config.settings.limits.pids]).toEqual(["a:1", 99]);
    expect(renderOrigin(config.origins["limits.pids"])).toBe("/two:2");
  });

  it("reads the engine's address from its own variable before CONTAINER_HOST", () => {
    const env = { CONTAINER_HOST: "unix:///run/podman.sock" };
    expect(load("", env).settings.engine.address).toBe("unix:///run/podman.sock");
    const both = load("", { ...env, LANEKEEPER_ENGINE_ADDRESS: "/other.sock" });
    expect(both.settings.engine.address).toBe("unix:///other.sock");
  });

  it("reads sizes, durations, none, lists and words", () => {
    const { settings } = load(`
engine: {runtime: runc, ulimits: {nofile: 4096, nproc: none}}
limits: {memory: 2g, cpus: 1.5, pids: none}
mounts:
  allow: [/srv/data, {path: /srv/cache, readOnly: false}]
timeouts: {startup: 500ms, relist: 1s}
backoff: {base: 10ms, max: 2m}
log: {level: debug}
`);
    expect(settings.limits).toEqual({ memoryBytes: 2 ** 31, cpus: 1.5, pids: null });
    expect(settings.engine.ulimits).toEqual({ nofile: 4096, nproc: null });
    expect(settings.mounts.allow).toEqual([
      { path: "/srv/data", readOnly: true },
      { path: "/srv/cache", readOnly: false },
    ]);
    expect([settings.timeouts.startupMs, settings.timeouts.relistMs]).toEqual([500, 1000]);
    expect([settings.backoff.baseMs, settings.backoff.maxMs, settings.log.level]).toEqual([10, 120_000, "debug"]);
  });

  it("chooses skills, as a list or a text", () => {
    const skills = (text: string, env = {}) => load(text, env).settings.skills;
    expect([skills("skills: all\n"), skills("skills: none\n"), skills("skills: [a, b]\n")]).toEqual([
      ...["all", [], ["a", "b"]],
    ]);
    expect(skills("", { LANEKEEPER_SKILLS: "a,b" })).toEqual(["a", "b"]);
    expect(failure(() => skills("skills: [../x]\n")).message).toContain("names of folders");
  });

  it("limits the jobs of all lanes; none and 0 take a limit off", () => {
    expect(load("jobs: {max: 3, minFreeMemory: 1g}\n").settings.jobs).toMatchObject({
      max: 3,
      minFreeMemoryBytes: 2 ** 30,
    });
    const off = { max: null, minFreeMemoryBytes: null };
    for (const none of ["0", "none", "null"])
      expect(load(`jobs: {max: ${none}, minFreeMemory: ${none}}\n`).settings.jobs).toMatchObject(off);
    expect(load("", { LANEKEEPER_JOBS_MAX: "0", LANEKEEPER_JOBS_MIN_FREE_MEMORY: "0" }).settings.jobs).toMatchObject(
      off,
    );
    expect(failure(() => load("jobs: {max: -1}\n")).message).toContain(
      "jobs.max is -1: expected a whole number from 1",
    );
    expect(failure(() => load("jobs: {minFreeMemory: lots}\n")).message).toContain("expected a size");
    expect(load("jobs: {stuckAfter: 30m, stuckAction: cancel}\n").settings.jobs).toMatchObject({
      stuckAfterMs: 1_800_000,
      stuckAction: "cancel",
    });
    expect(load("jobs: {keepFor: none, keepBytes: 1g}\n").settings.jobs).toMatchObject({
      keepForMs: null,
      keepBytes: 2 ** 30,
    });
    expect(load("jobs: {stuckAfter: none}\n").settings.jobs.stuckAfterMs).toBeNull();
    expect(failure(() => load("jobs: {stuckAfter: 10s}\n")).message).toContain("must be at least 20s");
    expect(failure(() => load("jobs: {stuckAction: kill}\n")).message).toContain("expected one of tell, cancel");
  });

  it("takes what an agent's login comes from, and what renews it", () => {
    const { agents } = load("agents: {claude: {credentials: env}, codex: {syncCommand: [get, --all]}}\n", {
      LANEKEEPER_AGENTS_GEMINI_CREDENTIALS: "/run/secrets/gemini.json",
    }).settings;
    expect([agents.claude.credentials, agents.gemini.credentials]).toEqual(["env", "/run/secrets/gemini.json"]);
    expect(agents.codex).toMatchObject({ credentials: "auto", syncCommand: ["get", "--all"], writeBack: false });
    const back = (text: string, env = {}) => load(text, env).settings.agents.codex.writeBack;
    expect([
      back("agents: {codex: {writeBack: true}}\n"),
      back("", { LANEKEEPER_AGENTS_CODEX_WRITE_BACK: "true" }),
    ]).toEqual([true, true]);
    expect(failure(() => back("agents: {codex: {writeBack: 5}}\n")).message).toContain("expected true or false");
    expect(failure(() => load("agents: {claude: {credentials: rel}}\n")).message).toContain(
      "expected auto, env, file, none or an absolute path",
    );
    expect(failure(() => load("agents: {claude: {syncCommand: get all}}\n")).message).toContain("a list of words");
  });

  it("takes what is added to an agent's process, and which agent is the default", () => {
    const { agent, agents } = load(
      "agent: codex\nagents: {codex: {args: [-c, 'a=1'], env: {BASE_URL: 'http://gateway'}}}\n",
    ).settings;
    expect([agent, agents.codex.args, agents.codex.env]).toEqual([
      "codex",
      ["-c", "a=1"],
      { BASE_URL: "http://gateway" },
    ]);
    expect(failure(() => load("agent: cluade\n")).message).toContain("agent");
    expect(failure(() => load("agents: {codex: {env: {'A B': x}}}\n")).message).toContain("no name of an environment");
    expect(failure(() => load("agents: {codex: {env: {A: 1}}}\n")).message).toContain("a text");
  });

  it("takes a folder of credentials, or none", () => {
    const folderOf = (text: string, env = {}) => load(text, env).settings.credentials.folder;
    expect(folderOf("credentials: {folder: /home/me/logins}\n")).toBe("/home/me/logins");
    expect(folderOf("credentials: {folder: null}\n")).toBeNull();
    expect(folderOf("credentials: {folder: /a}\n", { LANEKEEPER_CREDENTIALS_FOLDER: "none" })).toBeNull();
  });

  it.each(["", "# only a comment\n", "---\n", "null\n", "api:\n"])("an empty file is fine: %j", (text) => {
    expect(load(text).settings.api.port).toBe(4711);
  });

  it.each([
    ["api:\n  prot: 1\n", '/c/config.yaml:2: unknown setting "api.prot"', 'did you mean "api.port"?'],
    ["# a\n\nimagee: x\n", '/c/config.yaml:3: unknown setting "imagee"', 'did you mean "image"?'],
    ["port: 5\n", '/c/config.yaml:1: unknown setting "port"', 'did you mean "api.port"?'],
    ["zzz: 5\n", '/c/config.yaml:1: unknown setting "zzz"', "the settings are api.port,"],
    ["api: 5\n", "/c/config.yaml:1: api must be a mapping", "it has port"],
    ["- a\n", "/c/config.yaml:1: must be a mapping of settings", undefined],
    ["api:\n  port: 1\n  port: 2\n", "/c/config.yaml:3: is not valid YAML: Map keys must be unique", undefined],
    ["a: [\n", "/c/config.yaml:", undefined],
    [
      "api:\n  port: 99999\n",
      "/c/config.yaml:2: api.port is 99999: expected a whole number from 0 to 65535",
      "api.port: port of",
    ],
    ["api:\n  port: 4.5\n", "/c/config.yaml:2: api.port is 4.5: expected a whole", "api.port"],
    ["api: {port: 0x10}\n", null, undefined],
    ["limits:\n  memory: lots\n", '/c/config.yaml:2: limits.memory is "lots": expected a size', "limits.memory"],
    ["limits: {cpus: -1}\n", "/c/config.yaml:1: limits.cpus is -1: expected a number above 0", "limits.cpus"],
    ["timeouts: {relist: 500}\n", "/c/config.yaml:1: timeouts.relist is 500: expected a duration", "timeouts.relist"],
    ["timeouts: {relist: 90d}\n", '/c/config.yaml:1: timeouts.relist is "90d": is too long', "timeouts.relist"],
    [
      'engine: {address: "ssh://host/x"}\n',
      '/c/config.yaml:1: engine.address is "ssh://host/x": expected unix:///',
      undefined,
    ],
    ["mounts: {allow: [rel]}\n", '/c/config.yaml:1: mounts.allow is ["rel"] (0): expected', undefined],
    ["mounts: {allow: [/a/../b]}\n", "/c/config.yaml:1: mounts.allow is", undefined],
    [
      "credentials: {folder: rel}\n",
      '/c/config.yaml:1: credentials.folder is "rel": expected an absolute path',
      "credentials.folder: host folder",
    ],
    ["credentials: {folder: /a/../b}\n", 'must not contain ".."', undefined],
    ["log: {level: loud}\n", '/c/config.yaml:1: log.level is "loud": expected one of trace, debug', undefined],
  ])("names setting, file and line: %j", (text, message, hint) => {
    if (message === null) {
      expect(load(text).settings.api.port).toBe(16);
      return;
    }
    const error = failure(() => load(text));
    expect(error.code).toBe("config.invalid");
    expect(error.message).toContain(message);
    if (hint !== undefined) expect(error.hint).toContain(hint);
  });

  it("names the variable or the flag that is wrong", () => {
    const variable = failure(() => load("", { LANEKEEPER_API_PORT: "x" }));
    expect([variable.code, variable.message]).toEqual([
      "config.invalid",
      'LANEKEEPER_API_PORT: api.port is "x": expected a whole number from 0 to 65535',
    ]);
    const flag = failure(() => load("", {}, { "api.port": "x" }));
    expect([flag.code, flag.message.startsWith('api.port is "x"')]).toEqual(["usage.invalid", true]);
    const unknown = failure(() => load("", {}, { "api.prt": "1" }));
    expect([unknown.code, unknown.hint]).toEqual(["usage.invalid", 'did you mean "api.port"?']);
  });

  it("an alias bomb is refused, not expanded", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefgh"].map((c, i) => `${c}: &${c} [${`*${"abcdefg"[i]},`.repeat(9)}]`).join("\n")}\n`;
    expect(failure(() => load(bomb)).message).toContain('unknown setting "a"');
    const inside = `mounts:\n  allow: [&a [x,x], ${"*a,".repeat(400)}]\n`;
    expect(() => load(inside)).toThrow();
  });

  it("gives every setting a variable of its own", () => {
    const variables = SETTING_KEYS.flatMap((name) => variablesOf(name));
    expect(new Set(variables).size).toBe(variables.length);
    expect(variablesOf("timeouts.stopGrace")).toEqual(["LANEKEEPER_TIMEOUTS_STOP_GRACE"]);
    expect(variablesOf("image")).toEqual(["LANEKEEPER_IMAGE"]);
    expect(variablesOf("mounts.allow")).toEqual([]);
  });
});

describe("parseSizeBytes", () => {
  it.each([
    ["1", 1],
    ["512m", 536_870_912],
    ["2g", 2_147_483_648],
    ["1.5GiB", 1_610_612_736],
    ["10 kB", 10_240],
    ["3b", 3],
  ])("%s is %d", (text, bytes) => expect(parseSizeBytes(text)).toBe(bytes));

  it.each(["", "0", "-1", "g", "1x", "1e3", "99999999t", "1 2"])("refuses %j", (text) => {
    expect(() => parseSizeBytes(text)).toThrow(/not a size/);
  });
});
