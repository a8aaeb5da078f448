import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  problem,
  runLane,
  type ScriptedDaemon,
  sampleAgent,
  sampleCredential,
  sampleEvent,
  sampleJob,
  sampleLane,
  sampleStatus,
  sampleWorkspace,
  sendEvents,
  startScriptedDaemon,
} from "./testing.ts";

const LANE = sampleLane();
const JOB = sampleJob();
const PLAN = {
  lane: LANE.id,
  steps: [{ op: "stop", text: "stop the container", destructive: true, cause: { code: "user", message: "asked for" } }],
};
const DRIFTED = {
  lane: LANE.id,
  policy: "hold",
  action: "held",
  fields: [{ part: "limits", field: "memoryBytes", was: "1", is: null }],
};
const AGENT = sampleAgent();
const CREDENTIAL = sampleCredential();

let daemon: ScriptedDaemon;
beforeEach(async () => {
  daemon = await startScriptedDaemon({
    "GET /v1/status": () => ({ body: sampleStatus() }),
    "POST /v1/workspaces": () => ({ status: 201, body: sampleWorkspace() }),
    "DELETE /v1/workspaces/ws1": () => ({ status: 204 }),
    "GET /v1/agents": () => ({ body: [AGENT] }),
    "GET /v1/credentials": () => ({ body: [CREDENTIAL] }),
    "POST /v1/credentials/claude/refresh": () => ({ body: { ...CREDENTIAL, changed: true } }),
    "POST /v1/agents": () => ({ status: 201, body: AGENT.versions[0] }),
    "PATCH /v1/agents/claude": () => ({ body: AGENT }),
    "DELETE /v1/agents/claude": () => ({ status: 204 }),
    "GET /v1/lanes": () => ({ body: [LANE] }),
    "POST /v1/lanes": ({ body }) =>
      (body as { dryRun?: boolean }).dryRun ? { body: PLAN } : { status: 201, body: LANE },
    "GET /v1/jobs": () => ({ body: [JOB] }),
    [`GET /v1/jobs/${JOB.id}`]: () => ({ body: JOB }),
    [`POST /v1/jobs/${JOB.id}/cancel`]: () => ({ body: JOB }),
    [`POST /v1/jobs/${JOB.id}/retry`]: () => ({ body: sampleJob({ state: "queued" }) }),
    [`GET /v1/jobs/${JOB.id}/events`]: ({ path }, answer) =>
      path.includes("follow")
        ? sendEvents(
            answer,
            [
              sampleEvent(1, { stream: "stdout", text: "hi\n" }),
              sampleEvent(2, { type: "state", phase: "succeeded", detail: null }),
            ],
            { end: true },
          )
        : { body: path.includes("after=0") ? [sampleEvent(1, { stream: "stdout", text: "hi\n" })] : [] },
    "GET /v1/events": ({ path }) => ({
      body: path.includes("after=0")
        ? [{ seq: 1, at: LANE.createdAt, type: "lane.ready", lane: LANE.id, job: null, data: { to: "ready" } }]
        : [],
    }),
  });
  for (const ref of ["fix", LANE.id]) {
    const at = `/v1/lanes/${ref}`;
    for (const key of [
      `GET ${at}`,
      `PATCH ${at}`,
      ...["ensure", "start", "stop", "restart", "recreate", "sync"].map((act) => `POST ${at}/${act}`),
    ]) {
      daemon.route(key, () => ({ body: LANE }));
    }
    daemon.route(`POST ${at}/stop`, () => ({ body: sampleLane({ state: "stopped" }) }));
    daemon.route(`DELETE ${at}`, () => ({ status: 204 }));
    daemon.route(`GET ${at}/plan`, () => ({ body: PLAN }));
    daemon.route(`GET ${at}/drift`, () => ({ body: DRIFTED }));
    daemon.route(`GET ${at}/history`, () => ({
      body: [{ seq: 1, at: LANE.createdAt, generation: 3, event: "proven", from: "probing", to: "ready", cause: null }],
    }));
    daemon.route(`GET ${at}/logs`, () => ({ body: { lane: LANE.id, container: "c", lines: ["one", "two"] } }));
    daemon.route(`GET ${at}/jobs`, () => ({ body: [JOB] }));
    daemon.route(`POST ${at}/exec-plan`, () => ({ body: { argv: ["sh", "-c", "exit 7"], env: {} } }));
  }
});
afterEach(() => daemon[Symbol.asyncDispose]());

const lane = (words: string, more: Partial<Parameters<typeof runLane>[1]> = {}) =>
  runLane(words.split(" "), { socket: daemon.socket, ...more });

/** The last request, which is the one the verb is about. */
function asked() {
  const { method, path, body } = daemon.requests.at(-1) ?? { method: "", path: "", body: null };
  return body === null ? `${method} ${path}` : `${method} ${path} ${JSON.stringify(body)}`;
}

describe("each verb asks the daemon for what it means", () => {
  it.each([
    ["status", "GET /v1/lanes"],
    ["workspace add /src/shop --name shop", 'POST /v1/workspaces {"path":"/src/shop","name":"shop"}'],
    ["workspace add", 'POST /v1/workspaces {"path":"/nowhere"}'],
    ["workspace ls", "GET /v1/workspaces"],
    ["agents ls", "GET /v1/agents"],
    ["agents install claude@latest", 'POST /v1/agents {"agent":"claude","version":"latest"}'],
    ["agents use claude@2.1.329", 'PATCH /v1/agents/claude {"version":"2.1.329"}'],
    ["agents use claude@none", 'PATCH /v1/agents/claude {"version":null}'],
    ["agents rm claude@2.1.329", "DELETE /v1/agents/claude?version=2.1.329"],
    ["credentials status", "GET /v1/credentials"],
    ["credentials refresh claude", "POST /v1/credentials/claude/refresh"],
    ["credentials refresh", "POST /v1/credentials/claude/refresh"],
    ["add fix", `POST /v1/lanes/${LANE.id}/ensure?wait=120000`],
    ["add fix --wait 0s", `POST /v1/lanes/${LANE.id}/ensure?wait=0`],
    [
      "add fix --dry-run -w shop --from main --branch b",
      'POST /v1/lanes {"name":"fix","workspace":"shop","from":"main","branch":"b","dryRun":true}',
    ],
    [
      "add fix --dry-run --agent a --image i --set limits.memory=2g --set env.A=b=c",
      'POST /v1/lanes {"name":"fix","settings":{"memoryBytes":2147483648,"agent":"a","image":"i","env":{"A":"b=c"}},"dryRun":true}',
    ],
    ["show fix -w shop", "GET /v1/lanes/fix?workspace=shop"],
    ["plan fix", "GET /v1/lanes/fix/plan?intent=ensure"],
    ["plan fix --for remove", "GET /v1/lanes/fix/plan?intent=remove"],
    ["drift fix", "GET /v1/lanes/fix/drift"],
    ["sync fix", "POST /v1/lanes/fix/sync"],
    ["history fix -n 7", "GET /v1/lanes/fix/history?limit=7"],
    ["start fix --wait 5s", "POST /v1/lanes/fix/start?wait=5000"],
    ["stop fix", "POST /v1/lanes/fix/stop?wait=600000"],
    ["stop fix --wait 0s", "POST /v1/lanes/fix/stop?wait=0"],
    ["restart fix --now", "POST /v1/lanes/fix/restart?wait=120000&now=1"],
    ["restart fix", "POST /v1/lanes/fix/restart?wait=120000"],
    ["recreate fix", "POST /v1/lanes/fix/recreate?wait=120000"],
    ["recreate fix --now", "POST /v1/lanes/fix/recreate?wait=120000&now=1"],
    ["start fix --dry-run", "GET /v1/lanes/fix/plan?intent=ensure"],
    ["stop fix --dry-run", "GET /v1/lanes/fix/plan?intent=stop"],
    ["restart fix --dry-run", "GET /v1/lanes/fix/plan?intent=restart"],
    ["recreate fix --dry-run --now", "GET /v1/lanes/fix/plan?intent=recreate"],
    ["rm fix --dry-run --force", "GET /v1/lanes/fix/plan?intent=remove"],
    ["rm fix", `DELETE /v1/lanes/${LANE.id}`],
    ["rm fix --force --yes", `DELETE /v1/lanes/${LANE.id}?force=1`],
    ["set fix drift=hold limits.cpus=1.5", 'PATCH /v1/lanes/fix {"settings":{"drift":"hold","cpus":1.5}}'],
    ["set fix image= env.A=1", 'PATCH /v1/lanes/fix {"settings":{"image":null,"env":{"A":"1"}}}'],
    ["jobs", "GET /v1/jobs?limit=30"],
    ["jobs fix -n 2", "GET /v1/lanes/fix/jobs?limit=2"],
    [`job show ${JOB.id}`, `GET /v1/jobs/${JOB.id}`],
    [`job events ${JOB.id} --after 4`, `GET /v1/jobs/${JOB.id}/events?after=4&limit=500`],
    [`job cancel ${JOB.id}`, `POST /v1/jobs/${JOB.id}/cancel`],
    [`job retry ${JOB.id}`, `POST /v1/jobs/${JOB.id}/retry`],
    ["logs fix --container -n 5", "GET /v1/lanes/fix/logs?lines=5"],
    ["logs fix", `GET /v1/jobs/${JOB.id}/events?after=0&limit=500`],
    ["exec fix -- ls -la", 'POST /v1/lanes/fix/exec-plan {"tty":false,"argv":["ls","-la"]}'],
    ["events --after 3", "GET /v1/events?after=3&limit=500&follow=0"],
  ])("lane %s", async (words, request) => {
    const { code, stderr } = await lane(words);
    expect(asked()).toBe(request);
    expect({ code, stderr }).toEqual({
      code: words.startsWith("exec") ? 7 : 0,
      stderr: expect.not.stringContaining("error"),
    });
  });

  it("keeps the variables a lane has when one is set, and takes away the one that is unset", async () => {
    daemon.route("GET /v1/lanes/fix", () => ({ body: sampleLane({ settings: { env: { KEEP: "1", GONE: "2" } } }) }));
    await lane("set fix env.NEW=3 --unset env.GONE");
    expect(asked()).toBe('PATCH /v1/lanes/fix {"settings":{"env":{"KEEP":"1","NEW":"3"}}}');
  });

  it("forgets a workspace by its name", async () => {
    daemon.route("GET /v1/workspaces", () => ({ body: [sampleWorkspace()] }));
    expect((await lane("workspace rm shop")).stdout).toContain("/src/shop is as it was");
    expect(asked()).toBe("DELETE /v1/workspaces/ws1");
    expect((await lane("workspace rm other")).code).toBe(3);
  });
});

describe("the current folder", () => {
  beforeEach(() => daemon.route("GET /v1/workspaces", () => ({ body: [sampleWorkspace()] })));

  it("names the lane when none is named", async () => {
    await lane("drift", { cwd: "/src/shop.lanes/fix/deep" });
    expect(asked()).toBe(`GET /v1/lanes/${LANE.id}/drift`);
  });

  it("names the workspace to prefer, and the one a new lane belongs to", async () => {
    await lane("show fix", { cwd: "/src/shop/sub" });
    expect(asked()).toBe("GET /v1/lanes/fix?workspace=ws1");
    await lane("add fix --dry-run", { cwd: "/src/shop.lanes/other" });
    expect(asked()).toBe('POST /v1/lanes {"name":"fix","workspace":"ws1","dryRun":true}');
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
    expect(daemon.requests.every(({ method }) => method === "GET")).toBe(true);
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

describe("answers", () => {
  it.each([
    ["ls --json", [LANE]],
    ["--json ls", [LANE]],
    ["show fix --json", LANE],
    ["agents ls --json", [AGENT]],
    ["agents install claude@2.1.329 --json", AGENT.versions[0]],
    ["agents use claude@2.1.329 --json", AGENT],
    ["agents rm claude@2.1.329 --json", { agent: "claude", version: "2.1.329", removed: true }],
    ["credentials status --json", [CREDENTIAL]],
    ["credentials refresh claude --json", { ...CREDENTIAL, changed: true }],
    ["credentials refresh --json", [{ ...CREDENTIAL, changed: true }]],
    ["jobs --json", [JOB]],
    ["status --json", sampleStatus()],
    ["drift fix --json", DRIFTED],
    ["plan fix --json", PLAN],
    ["add fix --json", LANE],
    ["rm fix --json", { id: LANE.id, name: "fix", removed: true }],
  ])("lane %s is JSON and nothing else", async (words, value) => {
    const { stdout, stderr } = await lane(words);
    expect(JSON.parse(stdout)).toEqual(value);
    expect(stderr).toBe("");
  });

  it("says what was installed, and how lanes get it", async () => {
    expect(await lane("agents install claude@2.1.329")).toMatchObject({
      stdout: "claude@2.1.329 is installed (361 MB) and in use\n",
    });
    daemon.route("POST /v1/agents", () => ({ body: { ...AGENT.versions[0], inUse: false } }));
    const other = await lane("agents install claude@2.1.329");
    expect(other.stdout).toBe("claude@2.1.329 is installed (361 MB)\n");
    expect(other.stderr).toContain("`lane agents use claude@2.1.329`");
  });

  it("exits 4 when an agent's login cannot be used after it was refreshed, and says whether it is another", async () => {
    expect(await lane("credentials refresh claude")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("claude has another login now"),
    });
    const reason = { message: "the login of Claude Code cannot be used: /f is empty", hint: "log in" };
    daemon.route("POST /v1/credentials/claude/refresh", () => ({
      body: { ...CREDENTIAL, state: "refused", reason, changed: false },
    }));
    const { code, stdout, stderr } = await lane("credentials refresh claude");
    expect(code).toBe(4);
    expect(stderr).not.toContain("another login");
    expect(stdout).toContain("claude: the login of Claude Code cannot be used: /f is empty\nnext: log in\n");
    expect((await lane("credentials refresh")).code).toBe(0);
  });

  it("takes no agent without a version", async () => {
    const { code, stderr } = await lane("agents install claude");
    expect(code).toBe(2);
    expect(stderr).toContain("claude@latest");
  });

  it("exits 5 for drift only with --exit-code", async () => {
    expect((await lane("drift fix")).code).toBe(0);
    const { code, stdout } = await lane("drift fix --exit-code");
    expect(code).toBe(5);
    expect(stdout).toContain("limits memoryBytes: 1 -> (nothing)");
    daemon.route("GET /v1/lanes/fix/drift", () => ({ body: { ...DRIFTED, action: "none", fields: [] } }));
    expect((await lane("drift fix --exit-code")).code).toBe(0);
  });

  it("says whether lane and host have the same commits, and exits 5 when they went apart", async () => {
    const git = { ahead: 1, behind: 0, dirty: 0, unimported: 1 };
    const answer = (more: object) =>
      daemon.route("POST /v1/lanes/fix/sync", () => ({ body: sampleLane({ git: { ...git, ...more } }) }));
    expect(await lane("sync fix")).toMatchObject({ code: 0, stdout: "lane fix and the host have the same commits\n" });
    answer({ held: "a job is running in the lane" });
    expect(await lane("sync fix")).toMatchObject({ code: 0, stdout: "lane fix waits: a job is running in the lane\n" });
    answer({ diverged: { lane: "a".repeat(40), host: null } });
    const apart = await lane("sync fix");
    expect(apart.code).toBe(5);
    expect(apart.stdout).toContain("gone apart: lane aaaaaaaaaaaa, host no branch;");
  });

  it("marks what a plan destroys", async () => {
    expect((await lane("stop fix --dry-run")).stdout).toBe("! stop the container\n");
  });

  it("tells a failed lane's reason, last lines and next step, with the cause's own exit code", async () => {
    const cause = { code: "engine.image_missing", message: "no image x", hint: "run make image" };
    const failed = sampleLane({ state: "failed", cause, logTail: ["boom"] });
    daemon.route("POST /v1/lanes/fix/start", () => ({ body: failed }));
    const { code, stderr } = await lane("start fix");
    expect(code).toBe(125);
    expect(stderr).toMatch(/error: lane fix is failed: no image x[\s\S]* {2}boom[\s\S]*next: {2}run make image/);
  });

  it("exits 7 when a lane is not ready in time", async () => {
    daemon.route("POST /v1/lanes/fix/start", () => ({ body: sampleLane({ state: "probing" }) }));
    expect((await lane("start fix --wait 10ms")).code).toBe(7);
    expect((await lane("start fix --wait 0s")).code).toBe(0);
    daemon.route("POST /v1/lanes/fix/stop", () => ({ body: sampleLane({ state: "draining" }) }));
    expect((await lane("stop fix --wait 10ms")).code).toBe(7);
  });

  it("lists what would be lost", async () => {
    const details = { uncommittedPaths: ["a.ts", "b.ts"] };
    daemon.route(`DELETE /v1/lanes/${LANE.id}`, () =>
      problem("lane.would_lose_work", 409, { hint: "use --force", details }),
    );
    const { code, stderr } = await lane("rm fix");
    expect(code).toBe(5);
    expect(stderr).toContain("uncommitted paths:\n  a.ts\n  b.ts\nnext:  use --force\n");
  });

  it("waits for a job without its output and passes its outcome on", async () => {
    expect(await lane(`job wait ${JOB.id} -q`)).toEqual({ code: 0, stdout: `job ${JOB.id} succeeded\n`, stderr: "" });
    daemon.route(`GET /v1/jobs/${JOB.id}`, () => ({ body: sampleJob({ state: "cancelled" }) }));
    expect((await lane(`job wait ${JOB.id}`)).code).toBe(130);
  });

  it("gives up waiting for a job in time", async () => {
    daemon.route(`GET /v1/jobs/${JOB.id}/events`, (_request, answer) => sendEvents(answer, [], { end: false }));
    expect((await lane(`job wait ${JOB.id} --timeout 50ms`)).code).toBe(7);
  });

  it("prints a job's events as JSON lines, also while they come", async () => {
    for (const words of [`job events ${JOB.id}`, `job events ${JOB.id} -f`]) {
      const lines = (await lane(words)).stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(lines[0]).toMatchObject({ seq: 1, text: "hi\n" });
    }
  });

  it("prints a job's output with the job named on stderr", async () => {
    expect(await lane("logs fix")).toEqual({ code: 0, stdout: "hi\n", stderr: `== job ${JOB.id}: npm test\n` });
    expect((await lane("logs fix --container")).stdout).toBe("one\ntwo\n");
  });

  it("leaves out jobs older than --since", async () => {
    expect((await lane("logs fix --since 1h")).stdout).toBe("");
    expect((await lane("logs fix --since 100000d")).stdout).toBe("hi\n");
  });

  it("tells an answer it does not understand from a defect of its own", async () => {
    daemon.route("GET /v1/lanes", () => ({ body: [{ id: 1 }] }));
    const { code, stderr } = await lane("ls");
    expect(code).toBe(5);
    expect(stderr).toContain("lane down && lane up");
  });
});

describe("questions", () => {
  it("are asked on a terminal, and only there", async () => {
    const no = await lane("rm fix", { types: "n" });
    expect(no.code).toBe(1);
    expect(no.stderr).toContain("Remove lane fix with its container, its volume and /src/shop.lanes/fix? [y/N]");
    expect(daemon.requests.some(({ method }) => method === "DELETE")).toBe(false);
    expect((await lane("rm fix", { types: "y" })).code).toBe(0);
    expect((await lane("rm fix --yes", { types: "n" })).stderr).not.toContain("[y/N]");
  });

  it("come before a running job is interrupted", async () => {
    daemon.route("GET /v1/lanes/fix", () => ({ body: sampleLane({ job: JOB.id }) }));
    expect((await lane("recreate fix --now", { types: "" })).code).toBe(1);
    expect((await lane("recreate fix", { types: "" })).code).toBe(0);
  });
});
