import { beforeEach, describe, expect, it } from "vitest";
import { sampleWorkspace } from "./testing.ts";
import { LANE, shopBeforeEach } from "./testing-shop.ts";

const shop = shopBeforeEach();
const { lane, asked } = shop;

describe("the current folder", () => {
  beforeEach(() => shop.daemon.route("GET /v1/workspaces", () => ({ body: [sampleWorkspace()] })));

  it("names the lane when none is named", async () => {
    await lane("drift", { cwd: "/src/shop.lanes/fix/deep" });
    expect(asked()).toBe(`GET /v1/lanes/${LANE.id}/drift`);
  });

  it("names the workspace to prefer, and the one a new lane belongs to", async () => {
    await lane("show fix", { cwd: "/src/shop/sub" });
    expect(asked()).toBe("GET /v1/lanes/fix?workspace=%2Fsrc%2Fshop%2Fsub");
    await lane("add fix --dry-run", { cwd: "/src/shop.lanes/other" });
    expect(asked()).toBe('POST /v1/lanes {"name":"fix","workspace":"/src/shop.lanes/other","dryRun":true}');
  });

  it("is no help outside all lanes: exit 2 with the next step", async () => {
    const { code, stderr } = await lane("drift", { cwd: "/src/shopping" });
    expect(code).toBe(2);
    expect(stderr).toContain("next:  name one of `lane ls`");
  });

  it("never names what `rm` removes", async () => {
    expect((await lane("rm", { cwd: "/src/shop.lanes/fix" })).code).toBe(2);
  });
});

describe("usage", () => {
  it.each([
    "nothing",
    "ls extra",
    "add",
    "job",
    "plan fix --for lunch",
    "history fix -n 0",
    "set fix drift=sometimes",
    "set fix colour=red",
    "set fix role=chief",
    "set fix limits.memory=lots",
    "set fix env.A-B=1",
    "exec fix",
    "ls --color sometimes",
    "add fix --wait 5",
    "events --after x",
  ])("refuses lane %s with exit 2 and changes nothing", async (words) => {
    const { code, stdout, stderr } = await lane(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).not.toBe("");
    expect(shop.daemon.requests.every(({ method }) => method === "GET")).toBe(true);
  });

  it("says what was meant", async () => {
    expect((await lane("stauts")).stderr).toContain("Did you mean status?");
    expect((await lane("set fix imgae=x")).stderr).toContain('did you mean "image"?');
  });

  it("complains in JSON with --json", async () => {
    const { code, stderr } = await lane("ls extra --json");
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ code: "usage.invalid", status: 400 });
  });

  it("prints help on stdout with examples first and exit codes", async () => {
    const { code, stdout } = await lane("rm --help");
    expect(code).toBe(0);
    expect(stdout.indexOf("Examples:")).toBeLessThan(stdout.indexOf("Options:"));
    expect(stdout).toMatch(/Exit codes:[\s\S]*5 {2}work would be lost/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("has --json, examples and exit codes on every verb", async () => {
    const verbs = [
      "up",
      "down",
      "status",
      "doctor",
      "add",
      "ls",
      "show",
      "sync",
      "plan",
      "drift",
      "history",
      "start",
      "stop",
      "restart",
      "recreate",
    ];
    const more = ["rm", "set", "run", "jobs", "logs", "exec", "shell", "events", "demo"];
    const nested = [
      "agents ls",
      "agents install",
      "agents use",
      "agents rm",
      "credentials status",
      "credentials refresh",
      "workspace add",
      "workspace ls",
      "workspace rm",
      "job show",
      "job events",
      "job cancel",
      "job retry",
      "job wait",
    ];
    for (const verb of [...verbs, ...more, ...nested]) {
      const { code, stdout } = await lane(`${verb} --help`);
      expect(code, verb).toBe(0);
      for (const part of ["--json", "Examples:", "Exit codes:"]) expect(stdout, verb).toContain(part);
    }
  });

  it("keeps the demo out of the list, and tells its version", async () => {
    expect((await lane("--help")).stdout).not.toContain("demo");
    expect((await lane("--version")).stdout).toBe("lane 0.1.0 (build b1)\n");
  });
});
