import { afterEach, expect, it } from "vitest";
import type { WorkerEvent } from "../job/index.ts";
import { redactEvents } from "./redact-events.ts";
import { type Bench, command, openBench, settle } from "./testing/bench.ts";

const SECRET = "sk-canary-0123456789";
const redact = (text: string) => text.replaceAll(SECRET, "[redacted]");
const out = (seq: number, text: string, stream: "stdout" | "stderr" = "stdout"): WorkerEvent => ({
  seq,
  atMs: seq,
  type: "output",
  stream,
  text,
});
const binary = (seq: number, bytes: Buffer): WorkerEvent => ({
  seq,
  atMs: seq,
  type: "output",
  stream: "stdout",
  base64: bytes.toString("base64"),
});

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.[Symbol.asyncDispose]();
  bench = undefined;
});

it("leaves what holds no secret as it is", () => {
  const events = [
    out(1, "a"),
    binary(2, Buffer.from([0xff, 0xfe])),
    { seq: 3, atMs: 3, type: "gap", bytes: 7 } as const,
  ];
  const clean = redactEvents(events, redact);
  clean.forEach((event, i) => {
    expect(event).toBe(events[i]);
  });
});

it("takes secrets out of text, out of bytes, and out of the end of an attempt", () => {
  const finished: WorkerEvent = {
    seq: 3,
    atMs: 3,
    type: "finished",
    outcome: {
      kind: "failed",
      error: { code: "exit", message: `bad ${SECRET}` },
      result: { exitCode: 1, signal: null, stderrTail: `tail ${SECRET}`, truncated: false },
    },
  };
  const bytes = Buffer.concat([Buffer.from([0xff, 0x80]), Buffer.from(SECRET), Buffer.from([0xfe])]);
  const clean = redactEvents([out(1, `key ${SECRET}!`), binary(2, bytes), finished], redact);
  expect(clean[0]).toEqual(out(1, "key [redacted]!"));
  expect(clean[1]).toEqual(
    binary(2, Buffer.concat([Buffer.from([0xff, 0x80]), Buffer.from("[redacted]"), Buffer.from([0xfe])])),
  );
  expect(JSON.stringify(clean[2])).not.toContain(SECRET);
  expect(clean.map((event) => event.seq)).toEqual([1, 2, 3]);
});

it("finds a secret that was cut in two, per stream, and keeps every number", () => {
  const halves = [out(1, `a ${SECRET.slice(0, 6)}`), out(2, "err", "stderr"), out(3, `${SECRET.slice(6)} b`)];
  const clean = redactEvents(halves, redact);
  const stdout = clean.map((event) =>
    event.type === "output" && "text" in event && event.stream === "stdout" ? event.text : "",
  );
  expect(stdout.join("")).toBe("a [redacted] b");
  expect(clean.map((event) => event.seq)).toEqual([1, 2, 3]);
  expect(clean[1]).toEqual(out(2, "err", "stderr"));
});

it("finds a secret that a model says, or a tool prints, in pieces", () => {
  const say = (seq: number, text: string): WorkerEvent => ({ seq, atMs: seq, type: "text", text, partial: true });
  const print = (seq: number, call: string, text: string): WorkerEvent => ({
    seq,
    atMs: seq,
    type: "tool_output",
    call,
    text,
  });
  const [head, tail] = [SECRET.slice(0, 9), SECRET.slice(9)];
  const pieces = [say(1, `it is ${head}`), print(2, "a", head), print(3, "b", tail), say(4, tail), print(5, "a", tail)];
  const clean = redactEvents(pieces, redact);
  expect(clean).toEqual([
    say(1, "it is [redacted]"),
    print(2, "a", "[redacted]"),
    print(3, "b", tail),
    say(4, ""),
    print(5, "a", ""),
  ]);
  const other: WorkerEvent = { seq: 6, atMs: 6, type: "text", text: tail, partial: false };
  expect(redactEvents([say(1, head), other], redact)).toEqual([say(1, head), other]);
});

it("lets no canary into the store, its feed or the log", async () => {
  bench = openBench({ redact });
  const { job } = bench.dispatcher.submit({ laneId: "demo", spec: command() });
  bench.lane.open();
  await settle();
  bench.lane.begin(job.id);
  bench.lane.output(job.id, `token=${SECRET}\n`);
  bench.lane.finish(job.id, {
    kind: "failed",
    error: { code: "exit", message: SECRET },
    result: { exitCode: 1, signal: null, stderrTail: SECRET, truncated: false },
  });
  await settle();
  bench.lane.fault = { kind: "refuse", code: SECRET };
  bench.dispatcher.submit({ laneId: "demo", spec: command() });
  await settle();
  const everything = JSON.stringify([
    bench.store.jobs.list({ limit: 9 }),
    bench.store.jobs.readEvents(job.id, { after: 0, limit: 99 }),
    bench.store.feed.readAfter(0, 999),
    bench.logged,
  ]);
  expect(everything).toContain("[redacted]");
  expect(everything).not.toContain(SECRET);
});
