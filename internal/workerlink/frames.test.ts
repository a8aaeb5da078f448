import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../base/index.ts";
import { HEARTBEAT_SILENCE_MS, type HostFrame, type WorkerFrame } from "../protocol/index.ts";
import { type FrameReceiver, type FrameSocket, parseWorkerFrame } from "./frame-socket.ts";
import type { Challenge } from "./host-handshake.ts";
import { normalisePath } from "./lane-calls.ts";
import { createOpenLink } from "./open-worker-link.ts";
import { createPendingReplies } from "./pending-replies.ts";
import { judgeAnswer } from "./probe.ts";
import type { LinkEnd } from "./worker-link.ts";

describe("parseWorkerFrame", () => {
  it("takes any text without throwing, and spoils no prototype", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.anything().map((it) => JSON.stringify(it) ?? ""),
        ),
        (text) => {
          const parsed = parseWorkerFrame(text);
          expect(typeof parsed === "string" || "t" in parsed).toBe(true);
        },
      ),
    );
    for (const text of [
      '{"t":"pong","id":1,"__proto__":{"polluted":1}}',
      '{"__proto__":{"t":"pong"},"id":1}',
      '{"t":"pong","id":1,"constructor":{"prototype":{"polluted":1}}}',
      `${"[".repeat(200_000)}`,
      `{"t":"events","job":"../../x","attempt":1,"events":[]}`,
    ]) {
      expect(typeof parseWorkerFrame(text)).toBe("string");
    }
    expect(({} as { readonly polluted?: number }).polluted).toBeUndefined();
  });

  it("takes the heartbeats of older and newer workers, without what it does not know", () => {
    const parse = (beat: object, more: object = {}) =>
      parseWorkerFrame(JSON.stringify({ t: "heartbeat", running: [{ job: "j", attempt: 1, ...beat }], ...more }));
    const usage = { processes: 2, cpuTicks: 40 };
    expect(parse({})).toEqual({ t: "heartbeat", running: [{ job: "j", attempt: 1 }] });
    const known = { t: "heartbeat", running: [{ job: "j", attempt: 1, usage }] };
    expect(parse({ usage: { ...usage, ioBytes: 5 }, mood: "fine" }, { load: 3 })).toEqual(known);
    expect(parse({ usage: { processes: -1, cpuTicks: 0 } })).toMatch(/processes/);
  });

  it("takes what a worker sends", () => {
    const event = { seq: 1, atMs: 1, type: "output", stream: "stdout", text: "x" };
    const frame = { t: "events", job: "j", attempt: 1, events: [event] };
    expect(parseWorkerFrame(JSON.stringify(frame))).toEqual(frame);
    expect(parseWorkerFrame(JSON.stringify({ ...frame, events: [{ ...event, base64: "eA==" }] }))).toContain("events");
  });
});

describe("normalisePath", () => {
  it.each([
    ["/v1/lane/context", "/v1/lane/context"],
    ["/v1/lane/questions/a%20b?wait=1", "/v1/lane/questions/a%20b?wait=1"],
    ["/v1/lane/../jobs", null],
    ["/v1/lane/x/../../jobs", null],
    ["/v1/lane/%2e%2e/jobs", null],
    ["/v1/lane/..%2fjobs", null],
    ["/v1/lane/..\\jobs", null],
    ["/v1/lane/%252e%252e/jobs", null],
    ["//evil.test/v1/lane/x", null],
    ["/v1/lane", null],
  ])("%s is %s", (path, expected) => {
    expect(normalisePath(path)).toBe(expected);
  });
});

describe("judgeAnswer", () => {
  const target = { secret: "5e".repeat(32), generation: 1, build: null };
  it("takes nothing unproven for ready", () => {
    fc.assert(
      fc.property(fc.constantFrom(200, 204, 302, 404, 500), fc.option(fc.json()), (status, body) => {
        expect(judgeAnswer({ status, body }, "00".repeat(16), target).kind).toBe("impostor");
      }),
    );
    expect(judgeAnswer({ status: 503, body: "" }, "00".repeat(16), target).kind).toBe("not_ready");
  });
});

describe("pending replies", () => {
  it("keeps answers and askers together, whatever the order", async () => {
    const pending = createPendingReplies<string>();
    const sent: number[] = [];
    const send = async (id: number) => void sent.push(id);
    const asked = [pending.request(send, {}), pending.request(send, {})];
    expect(pending.settle(2, "two")).toBe(true);
    expect(pending.settle(1, "one")).toBe(true);
    expect(pending.settle(3, "never asked")).toBe(false);
    expect(await Promise.all(asked)).toEqual(["one", "two"]);
  });

  it("drops late answers to those who gave up", async () => {
    const pending = createPendingReplies<string>();
    const gaveUp = new AbortController();
    const asked = pending.request(async () => {}, { signal: gaveUp.signal });
    gaveUp.abort(new Error("enough"));
    await expect(asked).rejects.toThrow("enough");
    expect(pending.settle(1, "late")).toBe(true);
  });
});

describe("an open link", () => {
  /** A clock that stands still until told; one timer at a time, as a link has. */
  function stepClock() {
    let nowMs = 0;
    let due: { readonly atMs: number; readonly fn: () => void } | null = null;
    const clock: Clock = {
      ...systemClock,
      monotonicMs: () => nowMs,
      timer: (ms, fn) => {
        due = { atMs: nowMs + ms, fn };
        return () => {
          due = null;
        };
      },
    };
    const advance = async (ms: number) => {
      const untilMs = nowMs + ms;
      for (let next = due; next !== null && next.atMs <= untilMs; next = due) {
        nowMs = next.atMs;
        due = null;
        next.fn();
        for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
      nowMs = untilMs;
    };
    return { clock, advance };
  }

  function open(clock: Clock = systemClock) {
    const sent: HostFrame[] = [];
    const cuts: string[] = [];
    const ends: LinkEnd[] = [];
    let receiver: FrameReceiver | null = null;
    const socket: FrameSocket = {
      opened: Promise.resolve(),
      next: () => Promise.reject(new Error("not here")),
      deliverTo: (to) => {
        receiver = to;
      },
      send: async (frame) => void sent.push(frame),
      close: () => {},
      cut: (reason) => {
        cuts.push(reason);
        receiver?.ended({ kind: "misfit", reason });
      },
      terminate: () => {},
    };
    const challenge = { generation: 1, pid: 2, boot: "b", spool: "s" } as Challenge;
    const link = createOpenLink(
      socket,
      { challenge, attempts: [] },
      {
        laneId: "demo",
        clock,
        on: {
          events: () => {},
          heartbeat: () => {},
          apiRequest: () => Promise.reject(new Error("unused")),
          closed: (end) => ends.push(end),
        },
      },
    );
    return { link, sent, cuts, ends, receive: (frame: WorkerFrame) => receiver?.frame(frame) };
  }

  it("pings every 10 s, and is lost after 30 s of silence, not before", async () => {
    const { clock, advance } = stepClock();
    const { sent, ends, receive } = open(clock);
    await advance(HEARTBEAT_SILENCE_MS);
    expect(sent.map(({ t }) => t)).toEqual(["ping", "ping", "ping"]);
    receive({ t: "heartbeat", running: [] });
    await advance(HEARTBEAT_SILENCE_MS);
    expect(ends).toEqual([]);
    await advance(10_000);
    expect(ends).toMatchObject([{ kind: "lost", error: { code: "worker.unreachable" } }]);
  });

  it("is cut at a frame that has no business there, and rejects what waits", async () => {
    for (const frame of [
      { t: "reply", id: 9, result: { kind: "refused", error: { code: "x", message: "y" } } },
      { t: "pong", id: 9 },
      { t: "welcome", attempts: [] },
    ] satisfies WorkerFrame[]) {
      const { link, receive, ends } = open();
      const waiting = link.cancel("j", 1, {});
      receive(frame);
      await expect(waiting).rejects.toMatchObject({ code: "worker.protocol" });
      expect(ends).toMatchObject([{ kind: "dropped", error: { code: "worker.protocol" } }]);
      expect(await link.closed).toBe(ends[0]?.reason);
    }
  });
});
