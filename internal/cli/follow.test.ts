import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  eventually,
  runLane,
  type ScriptedDaemon,
  sampleEvent,
  sampleJob,
  sampleLane,
  sendEvents,
  startScriptedDaemon,
} from "./testing.ts";

const LANE = sampleLane();
const AT = LANE.createdAt;

let daemon: ScriptedDaemon;
beforeEach(async () => {
  daemon = await startScriptedDaemon();
});
afterEach(() => daemon[Symbol.asyncDispose]());

const entry = (seq: number, type = "lane.ready", job: string | null = null) => ({
  seq,
  at: AT,
  type,
  lane: LANE.id,
  job,
  data: {},
});

/** A feed that stays open; `push` sends to whoever is connected. */
function openFeed(stored: readonly ReturnType<typeof entry>[] = []) {
  const open: ServerResponse[] = [];
  const asked: (string | undefined)[] = [];
  daemon.route("GET /v1/events", ({ path, headers }, answer) => {
    if (path.includes("follow=0"))
      return { body: stored.filter(({ seq }) => seq > Number(/after=(\d+)/.exec(path)?.[1])) };
    asked.push(headers["last-event-id"]);
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.write(": \n\n");
    open.push(answer);
    return "handled";
  });
  const push = (text: string) => open.at(-1)?.write(text);
  return {
    asked,
    push,
    send: (value: ReturnType<typeof entry>) => push(`id: ${value.seq}\ndata: ${JSON.stringify(value)}\n\n`),
  };
}

describe("lane events -f", () => {
  it("prints what is stored, then what comes, each once, over a restart, until ^C", async () => {
    const feed = openFeed([entry(1), entry(2)]);
    const running = runLane(["events", "-f", "--json"], { socket: daemon.socket });
    const seqs = () =>
      running
        .stdoutNow()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line || "{}").seq);
    await eventually("the subscription", () => feed.asked.length === 1);
    expect(seqs()).toEqual([1, 2]);
    feed.send(entry(2));
    feed.send(entry(3));
    await eventually("the third", () => seqs().length === 3);
    await daemon.stop();
    await daemon.start();
    await eventually("the second subscription", () => feed.asked.length === 2);
    feed.send(entry(4));
    await eventually("the fourth", () => seqs().length === 4);
    running.signal("SIGINT");
    expect((await running).code).toBe(130);
    expect(seqs()).toEqual([1, 2, 3, 4]);
    expect(feed.asked).toEqual(["2", "3"]);
  });

  it("goes on after a feed that began anew", async () => {
    const feed = openFeed([entry(90)]);
    const running = runLane(["events", "-f"], { socket: daemon.socket });
    await eventually("the subscription", () => feed.asked.length === 1);
    feed.push('id: 4\nevent: gap\ndata: {"from":1,"to":4,"reset":true}\n\n');
    feed.send(entry(5, "job.running"));
    await eventually("the entry", () => running.stdoutNow().includes("job.running"));
    expect(running.stderrNow()).toBe("some entries are no longer kept\n");
    running.signal("SIGTERM");
    expect((await running).code).toBe(143);
  });
});

describe("lane logs -f", () => {
  const first = sampleJob({ id: "j1", state: "running", argv: ["one"], endedAt: null });
  const second = sampleJob({ id: "j2", argv: ["two"] });
  const ended = sampleEvent(9, { type: "state", phase: "succeeded", detail: null });

  beforeEach(() => {
    daemon.route("GET /v1/lanes/fix", () => ({ body: LANE }));
    daemon.route("GET /v1/jobs/j1", () => ({ body: { ...first, state: "succeeded" } }));
    daemon.route("GET /v1/jobs/j2", () => ({ body: second }));
  });

  it("goes on with the running job and the ones after it", async () => {
    const feed = openFeed();
    let jobs = [first];
    let open: ServerResponse | null = null;
    daemon.route("GET /v1/lanes/fix/jobs", () => ({ body: jobs }));
    daemon.route("GET /v1/jobs/j1/events", (_request, answer) => {
      open = answer;
      return sendEvents(answer, [sampleEvent(1, { stream: "stdout", text: "a" })], { end: false });
    });
    daemon.route("GET /v1/jobs/j2/events", () => ({ body: [sampleEvent(1, { stream: "stdout", text: "c" })] }));
    const running = runLane(["logs", "fix", "-f"], { socket: daemon.socket });
    await eventually("the first output", () => running.stdoutNow() === "a");
    if (open !== null) sendEvents(open, [sampleEvent(2, { stream: "stderr", text: "b" }), ended], { end: true });
    await eventually("the subscription", () => feed.asked.length === 1);
    jobs = [second, first];
    feed.send(entry(1, "job.queued", "j2"));
    await eventually("the second job", () => running.stdoutNow() === "ac");
    running.signal("SIGINT");
    const { code, stderr } = await running;
    expect(code).toBe(130);
    expect(stderr).toContain("== job j1: one\nb== job j2: two\n");
  });
});
