import { describe, expect, it } from "vitest";
import { problem, sampleLane, sampleWorkspace } from "./testing.ts";
import { JOB, LANE, shopBeforeEach } from "./testing-shop.ts";

const shop = shopBeforeEach();
const { lane, asked } = shop;

describe("each verb asks the daemon for what it means", () => {
  it.each([
    ["workspace add /src/shop --name shop", 'POST /v1/workspaces {"path":"/src/shop","name":"shop"}'],
    ["workspace add", 'POST /v1/workspaces {"path":"/nowhere"}'],
    ["workspace add git@host:x --name x", 'POST /v1/workspaces {"url":"git@host:x","name":"x"}'],
    ["workspace add https://host/x.git", 'POST /v1/workspaces {"url":"https://host/x.git"}'],
    ["workspace add ./odd:name", 'POST /v1/workspaces {"path":"/nowhere/odd:name"}'],
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
    ["rm fix --delete-branch", `DELETE /v1/lanes/${LANE.id}?deleteBranch=1`],
    ["ls", "GET /v1/workspaces"],
    ["ls --json", "GET /v1/lanes?git=1"],
    ["ls --disk", `GET /v1/lanes/${LANE.id}/disk`],
    ["show fix --disk", `GET /v1/lanes/${LANE.id}/disk`],
    ["prune --dry-run", "GET /v1/prunable"],
    ["prune --yes", "POST /v1/images/prune"],
    ["add fix --ephemeral --base v1 --wait 0s", `POST /v1/lanes/${LANE.id}/ensure?wait=0`],
    ["set fix drift=hold limits.cpus=1.5", 'PATCH /v1/lanes/fix {"settings":{"drift":"hold","cpus":1.5}}'],
    ["set fix image= env.A=1", 'PATCH /v1/lanes/fix {"settings":{"image":null,"env":{"A":"1"}}}'],
    [
      "set fix packages=npm:semver@7,apt:tree,apt:tree",
      'PATCH /v1/lanes/fix {"settings":{"packages":{"apt":["tree"],"npm":["semver@7"]}}}',
    ],
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

  it("lane status asks for the daemon, the lanes and what waits, also of a daemon that has no inbox", async () => {
    expect((await lane("status")).code).toBe(0);
    expect(shop.daemon.requests.map(({ path }) => path).toSorted()).toEqual([
      "/v1/inbox?state=open&limit=500",
      "/v1/lanes",
      "/v1/status",
    ]);
  });

  it("keeps the variables a lane has when one is set, and takes away the one that is unset", async () => {
    shop.daemon.route("GET /v1/lanes/fix", () => ({
      body: sampleLane({ settings: { env: { KEEP: "1", GONE: "2" } } }),
    }));
    await lane("set fix env.NEW=3 --unset env.GONE");
    expect(asked()).toBe('PATCH /v1/lanes/fix {"settings":{"env":{"KEEP":"1","NEW":"3"}}}');
  });

  it("shows only the events that were asked for", async () => {
    const entry = { seq: 1, at: LANE.createdAt, type: "lane.ready", lane: LANE.id, job: null, data: {} };
    const entries = [
      entry,
      { ...entry, type: "job.failed" },
      { ...entry, type: "job.failed", lane: "gone-1" },
      { ...entry, type: "jobs" },
    ];
    shop.daemon.route("GET /v1/events", () => ({ body: entries }));
    const types = async (words: string) => {
      const { stdout } = await lane(`events --json ${words}`);
      return stdout.split("\n").flatMap((line) => (line === "" ? [] : JSON.parse(line).type));
    };
    expect(await types("--type job")).toEqual(["job.failed", "job.failed"]);
    expect(await types("--type job --lane fix")).toEqual(["job.failed"]);
    expect(await types("--type lane.ready --type jobs")).toEqual(["lane.ready", "jobs"]);
    shop.daemon.route("GET /v1/lanes/gone-1", () => problem("lane.not_found", 404));
    expect(await types("--lane gone-1")).toEqual(["job.failed"]);
  });

  it("forgets a workspace by its name", async () => {
    shop.daemon.route("GET /v1/workspaces", () => ({ body: [sampleWorkspace()] }));
    expect((await lane("workspace rm shop")).stdout).toContain("/src/shop is as it was");
    expect(asked()).toBe("DELETE /v1/workspaces/ws1");
    expect((await lane("workspace rm other")).code).toBe(3);
  });
});
