import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApiJobEvent } from "../protocol/index.ts";
import {
  eventually,
  problem,
  runLane,
  type ScriptedDaemon,
  sampleEvent,
  sampleJob,
  sendEvents,
  startScriptedDaemon,
} from "./testing.ts";

const JOB = sampleJob();
const JOB_PATH = `/v1/jobs/${JOB.id}`;

let daemon: ScriptedDaemon;
beforeEach(async () => {
  daemon = await startScriptedDaemon({
    "POST /v1/lanes/fix/jobs": () => ({ status: 201, body: { ...JOB, state: "queued" } }),
  });
});
afterEach(() => daemon[Symbol.asyncDispose]());

const out = (seq: number, text: string, stream = "stdout") => sampleEvent(seq, { stream, text });
const ended = (seq: number, phase = "succeeded") => sampleEvent(seq, { type: "state", phase, detail: null });

/** A job with these events that has ended like this. */
function script(events: readonly ApiJobEvent[], change: Parameters<typeof sampleJob>[0] = {}): void {
  daemon.route(`GET ${JOB_PATH}/events`, ({ path }, answer) =>
    sendEvents(
      answer,
      events.filter(({ seq }) => seq > afterOf(path)),
      { end: true },
    ),
  );
  daemon.route(`GET ${JOB_PATH}`, () => ({ body: sampleJob(change) }));
}

function afterOf(path: string): number {
  return Number(new URL(path, "http://x").searchParams.get("after"));
}

function submitted(): Record<string, unknown> {
  return daemon.requests.find(({ method }) => method === "POST")?.body as Record<string, unknown>;
}

const run = (...more: readonly string[]) => runLane(["run", "fix", ...more], { socket: daemon.socket });

describe("lane run -- CMD: streaming", () => {
  it("writes each stream to its own, byte for byte", async () => {
    const binary = Buffer.from([0, 255, 10, 128]);
    script([
      out(1, "a\u001b[1m ä\r\n"),
      out(2, "oh\n", "stderr"),
      sampleEvent(3, { stream: "stdout", base64: binary.toString("base64") }),
      ended(4),
    ]);
    const { code, stdout, stderr } = await run("--", "cat", "x");
    expect(code).toBe(0);
    expect(stdout).toBe(`${Buffer.from("a\u001b[1m ä\r\n").toString("latin1")}${binary.toString("latin1")}`);
    expect(stderr).toBe("oh\n");
  });

  it("says what the job waits for, on stderr, and marks output that was cut", async () => {
    script([
      sampleEvent(1, { type: "state", phase: "queued", detail: "lane is starting" }),
      out(2, "x"),
      sampleEvent(3, { type: "gap", bytes: 12 }),
      ended(4),
    ]);
    const { stdout, stderr } = await run("--", "true");
    expect(stdout).toBe("x");
    expect(stderr).toBe("waiting: lane is starting\n[12 bytes of output were cut]\n");
  });

  it.each([
    ["waiting: the lane is being recreated", { detail: "the lane is being recreated" }],
    ["waiting for memory", { waiting: "memory" }],
  ] as const)("hears of a reason that comes up while it waits: %s", async (words, change) => {
    let open: ServerResponse | null = null;
    daemon.route(`GET ${JOB_PATH}/events`, (_request, answer) => {
      open = answer;
      return sendEvents(answer, [], { end: false });
    });
    daemon.route(`GET ${JOB_PATH}`, () => ({
      body: sampleJob({ state: "queued", ...change }),
    }));
    const running = run("--", "true");
    await eventually("the reason", () => running.stderrNow() === `${words}\n`);
    daemon.route(`GET ${JOB_PATH}`, () => ({ body: JOB }));
    if (open !== null) sendEvents(open, [ended(1)], { end: true });
    expect((await running).code).toBe(0);
  });

  it("keeps such remarks to itself with -q", async () => {
    script([sampleEvent(1, { type: "state", phase: "queued", detail: "lane is starting" }), ended(2)]);
    expect((await run("-q", "--", "true")).stderr).toBe("");
  });

  it("prints event lines and then the job with --json", async () => {
    script([out(1, "x"), ended(2)]);
    const { stdout, stderr } = await run("--json", "--", "true");
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.seq ?? line.id)).toEqual([1, 2, JOB.id]);
    expect(stderr).toBe("");
  });

  it("prints the id and leaves with --detach", async () => {
    const { code, stdout } = await run("--detach", "--", "true");
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${JOB.id}\n` });
    expect(daemon.requests.some(({ path }) => path.includes("events"))).toBe(false);
  });
});

describe("lane run -- CMD: exit codes", () => {
  const failed = (code: string, message: string, more = {}) =>
    ({ state: "failed", exitCode: null, error: { code, message }, ...more }) as const;
  it.each([
    ["the command's own", failed("exit", "exit code 7", { exitCode: 7 }), 7, ""],
    ["128+n for a signal", failed("signal", "ended by SIGKILL", { signal: "SIGKILL" }), 137, "ended by SIGKILL\n"],
    ["124 for the deadline", failed("deadline", "deadline of 5s", { signal: "SIGTERM" }), 124, "deadline of 5s\n"],
    ["130 when cancelled", { state: "cancelled", signal: "SIGINT", exitCode: null }, 130, "was cancelled\n"],
    ["1 when interrupted", failed("interrupted", "the worker died"), 1, `lane job retry ${JOB.id}\n`],
    [
      "1 when lost",
      { state: "lost", exitCode: null, error: { code: "spool_lost", message: "gone" } },
      1,
      `lane job retry ${JOB.id}\n`,
    ],
    ["1 when it could not start", failed("start_failed", "no such program"), 1, "no such program\n"],
  ] as const)("gives %s", async (_what, change, exitCode, lastWords) => {
    script([ended(1, change.state)], change);
    const { code, stderr } = await run("--", "x");
    expect(code).toBe(exitCode);
    expect(stderr.endsWith(lastWords)).toBe(true);
    if (lastWords === "") expect(stderr).toBe("");
  });
});

describe("lane run -- CMD: a daemon that goes away", () => {
  /** Sends the events of a batch per connection; the connection breaks after each but the last. */
  function batches(...each: readonly (readonly ApiJobEvent[])[]): void {
    let at = 0;
    daemon.route(`GET ${JOB_PATH}/events`, (_request, answer) => {
      const batch = each[at++] ?? [];
      sendEvents(answer, batch, { end: at >= each.length });
      // Torn in the middle of a message, as by a kill.
      if (at < each.length) answer.write("id: 99\ndata: {", () => answer.destroy());
      return "handled";
    });
    daemon.route(`GET ${JOB_PATH}`, () => ({ body: JOB }));
  }

  it("goes on where the stream broke off, without gap or repeat", async () => {
    batches([out(1, "a"), out(2, "b")], [out(2, "b"), out(3, "c")], [out(4, "d"), ended(5)]);
    const { code, stdout } = await run("--", "x");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "abcd" });
    const asked = daemon.requests.filter(({ path }) => path.includes("/events")).map(({ path }) => afterOf(path));
    expect(asked).toEqual([0, 2, 3]);
  });

  it("survives a restart with the socket away for a while, and says so once", async () => {
    let opened: ServerResponse | null = null;
    daemon.route(`GET ${JOB_PATH}/events`, (_request, answer) => {
      opened = answer;
      return sendEvents(answer, [out(1, "before ")], { end: false });
    });
    const running = run("--", "x");
    await eventually("the first output", () => opened !== null && running.stdoutNow() === "before ");
    await daemon.stop();
    await eventually("the remark", () => running.stderrNow() !== "");
    script([out(1, "before "), out(2, "after"), ended(3)]);
    await daemon.start();
    const { code, stdout, stderr } = await running;
    expect({ code, stdout }).toEqual({ code: 0, stdout: "before after" });
    expect(stderr.match(/waiting for laned to come back/g)).toHaveLength(1);
  });

  it("does not take a stream that a stopping daemon ended for the end of the job", async () => {
    let calls = 0;
    daemon.route(`GET ${JOB_PATH}/events`, (_request, answer) =>
      sendEvents(answer, calls++ === 0 ? [out(1, "a")] : [out(2, "b"), ended(3)], { end: true }),
    );
    let asked = 0;
    daemon.route(`GET ${JOB_PATH}`, () => (asked++ === 0 ? problem("daemon.stopping", 503) : { body: JOB }));
    expect(await run("--", "x")).toMatchObject({ code: 0, stdout: "ab" });
  });

  it("still asks for the rest when the job ended while the stream was cut", async () => {
    let calls = 0;
    daemon.route(`GET ${JOB_PATH}/events`, (_request, answer) =>
      sendEvents(answer, calls++ === 0 ? [out(1, "a")] : [out(2, "b"), ended(3)], { end: true }),
    );
    daemon.route(`GET ${JOB_PATH}`, () => ({ body: JOB }));
    expect(await run("--", "x")).toMatchObject({ code: 0, stdout: "ab" });
  });

  it("submits again under the same key when the answer is lost", async () => {
    let calls = 0;
    daemon.route("POST /v1/lanes/fix/jobs", (_request, answer) => {
      if (calls++ > 0) return { body: JOB };
      answer.destroy();
      return "handled";
    });
    script([ended(1)]);
    expect((await run("--", "x")).code).toBe(0);
    const keys = daemon.requests
      .filter(({ method }) => method === "POST")
      .map(({ body }) => (body as { key: string }).key);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it("gives up after a minute", async () => {
    daemon.route(`GET ${JOB_PATH}/events`, (_request, answer) => sendEvents(answer, [out(1, "a")], { end: false }));
    let nowMs = 0;
    const clock = {
      nowMs: () => 0,
      monotonicMs: () => nowMs,
      sleep: async (ms: number) => {
        nowMs += ms;
      },
      timer: () => () => {},
    };
    const running = runLane(["run", "fix", "--", "x"], { socket: daemon.socket, deps: { clock } });
    await eventually("the first output", () => running.stdoutNow() === "a");
    await daemon.stop();
    const { code, stderr } = await running;
    expect(code).toBe(6);
    expect(stderr).toContain("next:");
    expect(nowMs).toBeGreaterThan(60_000);
    expect(nowMs).toBeLessThan(65_000);
  });

  it("is not started by us, and fails at once when it was never there", async () => {
    await daemon.stop();
    const { code, stderr } = await run("--", "x");
    expect(code).toBe(6);
    expect(stderr).toContain("lane up");
  });
});

describe("lane run -- CMD: ^C", () => {
  /** A job that runs until it is cancelled. */
  function cancellable(): void {
    let open: ServerResponse | null = null;
    let state = "running";
    daemon.route(`GET ${JOB_PATH}/events`, (_request, answer) => {
      open = answer;
      return sendEvents(answer, [out(1, "working\n")], { end: false });
    });
    daemon.route(`GET ${JOB_PATH}`, () => ({ body: sampleJob({ state, exitCode: null, signal: "SIGINT" }) }));
    daemon.route(`POST ${JOB_PATH}/cancel`, () => {
      setTimeout(() => {
        state = "cancelled";
        if (open !== null) sendEvents(open, [out(2, "cleaning up\n"), ended(3, "cancelled")], { end: true });
      }, 20);
      return { body: sampleJob({ state: "running" }) };
    });
  }

  it("cancels the job once and keeps streaming until it has ended", async () => {
    cancellable();
    const running = run("--", "x");
    await eventually("output", () => running.stdoutNow() !== "");
    running.signal("SIGINT");
    expect(await running).toMatchObject({ code: 130, stdout: "working\ncleaning up\n" });
    expect(daemon.requests.filter(({ path }) => path.endsWith("/cancel"))).toHaveLength(1);
  });

  it("exits 143 when TERM asked for it", async () => {
    cancellable();
    const running = run("--", "x");
    await eventually("output", () => running.stdoutNow() !== "");
    running.signal("SIGTERM");
    expect((await running).code).toBe(143);
  });

  it("leaves at the second one", async () => {
    cancellable();
    daemon.route(`POST ${JOB_PATH}/cancel`, () => ({ body: sampleJob({ state: "running" }) }));
    const running = run("--", "x");
    await eventually("output", () => running.stdoutNow() !== "");
    running.signal("SIGINT");
    await eventually("the call", () => daemon.requests.some(({ path }) => path.endsWith("/cancel")));
    running.signal("SIGINT");
    const { code, stderr } = await running;
    expect(code).toBe(130);
    expect(stderr).toContain(`lane job wait ${JOB.id}`);
  });

  it("cancels a job whose submission was still under way", async () => {
    cancellable();
    let accept = () => {};
    daemon.route("POST /v1/lanes/fix/jobs", async (_request, answer) => {
      await new Promise<void>((resolve) => {
        accept = resolve;
      });
      answer.end(JSON.stringify(sampleJob({ state: "queued" })));
    });
    const running = run("--", "x");
    await eventually("the submission", () => submitted() !== undefined);
    running.signal("SIGINT");
    accept();
    expect((await running).code).toBe(130);
    expect(daemon.requests.some(({ path }) => path.endsWith("/cancel"))).toBe(true);
  });
});

describe("lane run: what is submitted", () => {
  it("passes flags and the words after -- untouched", async () => {
    const flags = ["--key", "k1", "--deadline", "10m", "--priority", "-5", "--retry", "on-lost"];
    await run(...flags, "--detach", "--", "sh", "-c", "echo --json", "--", "-q");
    expect(submitted()).toEqual({
      kind: "command",
      argv: ["sh", "-c", "echo --json", "--", "-q"],
      key: "k1",
      deadlineMs: 600_000,
      priority: -5,
      retry: "on_lost",
    });
  });

  it.each([
    ["an argument", ["do it"], undefined, "do it"],
    ["standard input", ["-"], "from stdin", "from stdin"],
  ])("takes a prompt from %s", async (_what, words, stdin, prompt) => {
    daemon.route("POST /v1/lanes/fix/jobs", () => problem("request.not_supported", 501));
    const argv = ["run", "fix", ...words, "--agent", "claude", "--session", "new"];
    const { code } = await runLane(argv, { socket: daemon.socket, ...(stdin === undefined ? {} : { stdin }) });
    expect(code).toBe(1);
    expect(submitted()).toMatchObject({ kind: "prompt", prompt, agent: "claude", session: "new" });
  });

  it.each([
    ["nothing to run", ["run", "fix"]],
    ["no command", ["run", "fix", "--"]],
    ["a prompt and a command", ["run", "fix", "do", "--", "x"]],
    ["a bad deadline", ["run", "fix", "--deadline", "5", "--", "x"]],
    ["a bad priority", ["run", "fix", "--priority", "high", "--", "x"]],
    ["a bad retry", ["run", "fix", "--retry", "always", "--", "x"]],
    ["a missing file", ["run", "fix", "--file", "/nowhere/x"]],
    ["an unknown flag", ["run", "fix", "--fast", "--", "x"]],
  ])("refuses %s with exit 2 before asking anyone", async (_what, argv) => {
    const { code, stderr } = await runLane(argv, { socket: daemon.socket });
    expect(code).toBe(2);
    expect(stderr).not.toBe("");
    expect(daemon.requests).toEqual([]);
  });
});
