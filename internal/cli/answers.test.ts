import { describe, expect, it } from "vitest";
import { problem, sampleJob, sampleLane, sampleStatus, sendEvents } from "./testing.ts";
import { AGENT, CREDENTIAL, DRIFTED, JOB, LANE, PLAN, REMOVED, shopBeforeEach } from "./testing-shop.ts";

const shop = shopBeforeEach();
const { lane } = shop;

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
    ["status --json", { ...sampleStatus(), openItems: null, unwell: [] }],
    ["drift fix --json", DRIFTED],
    ["plan fix --json", PLAN],
    ["add fix --json", LANE],
    ["rm fix --json", REMOVED],
  ])("lane %s is JSON and nothing else", async (words, value) => {
    const { stdout, stderr } = await lane(words);
    expect(JSON.parse(stdout)).toEqual(value);
    expect(stderr).toBe("");
  });

  it("says what was installed, and how lanes get it", async () => {
    expect(await lane("agents install claude@2.1.329")).toMatchObject({
      stdout: "claude@2.1.329 is installed (361 MB) and in use\n",
    });
    shop.daemon.route("POST /v1/agents", () => ({ body: { ...AGENT.versions[0], inUse: false } }));
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
    shop.daemon.route("POST /v1/credentials/claude/refresh", () => ({
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
    shop.daemon.route("GET /v1/lanes/fix/drift", () => ({ body: { ...DRIFTED, action: "none", fields: [] } }));
    expect((await lane("drift fix --exit-code")).code).toBe(0);
  });

  it("says whether lane and host have the same commits, and exits 5 when they went apart", async () => {
    const git = { ahead: 1, behind: 0, dirty: 0, unimported: 1 };
    const answer = (more: object) =>
      shop.daemon.route("POST /v1/lanes/fix/sync", () => ({ body: sampleLane({ git: { ...git, ...more } }) }));
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
    shop.daemon.route("POST /v1/lanes/fix/start", () => ({ body: failed }));
    const { code, stderr } = await lane("start fix");
    expect(code).toBe(125);
    expect(stderr).toMatch(/error: lane fix is failed: no image x[\s\S]* {2}boom[\s\S]*next: {2}run make image/);
  });

  it("exits 7 when a lane is not ready in time", async () => {
    shop.daemon.route("POST /v1/lanes/fix/start", () => ({ body: sampleLane({ state: "probing" }) }));
    expect((await lane("start fix --wait 10ms")).code).toBe(7);
    expect((await lane("start fix --wait 0s")).code).toBe(0);
    shop.daemon.route("POST /v1/lanes/fix/stop", () => ({ body: sampleLane({ state: "draining" }) }));
    expect((await lane("stop fix --wait 10ms")).code).toBe(7);
  });

  it("lists what would be lost", async () => {
    const details = { uncommittedPaths: ["a.ts", "b.ts"] };
    shop.daemon.route(`DELETE /v1/lanes/${LANE.id}`, () =>
      problem("lane.would_lose_work", 409, { hint: "use --force", details }),
    );
    const { code, stderr } = await lane("rm fix");
    expect(code).toBe(5);
    expect(stderr).toContain("uncommitted paths:\n  a.ts\n  b.ts\nnext:  use --force\n");
  });

  it("waits for a job without its output and passes its outcome on", async () => {
    expect(await lane(`job wait ${JOB.id} -q`)).toEqual({ code: 0, stdout: `job ${JOB.id} succeeded\n`, stderr: "" });
    shop.daemon.route(`GET /v1/jobs/${JOB.id}`, () => ({ body: sampleJob({ state: "cancelled" }) }));
    expect((await lane(`job wait ${JOB.id}`)).code).toBe(130);
  });

  it("gives up waiting for a job in time", async () => {
    shop.daemon.route(`GET /v1/jobs/${JOB.id}/events`, (_request, answer) => sendEvents(answer, [], { end: false }));
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
    shop.daemon.route("GET /v1/lanes", () => ({ body: [{ id: 1 }] }));
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
    expect(shop.daemon.requests.some(({ method }) => method === "DELETE")).toBe(false);
    expect((await lane("rm fix", { types: "y" })).code).toBe(0);
    expect((await lane("rm fix --yes", { types: "n" })).stderr).not.toContain("[y/N]");
  });

  it("come before a running job is interrupted", async () => {
    shop.daemon.route("GET /v1/lanes/fix", () => ({ body: sampleLane({ job: JOB.id }) }));
    expect((await lane("recreate fix --now", { types: "" })).code).toBe(1);
    expect((await lane("recreate fix", { types: "" })).code).toBe(0);
  });
});
