import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../base/index.ts";
import { HEARTBEAT_EVERY_MS, LINK_CLOSE, type WorkerFrame } from "../../protocol/index.ts";
import { createLog } from "../log.ts";
import { createHostCalls } from "../relay/host-calls.ts";
import { openSpool, type Spool } from "../spool/index.ts";
import type { HostLink } from "./host-link.ts";
import { startSession } from "./link-session.ts";

let dir: string;
let spool: Spool;
const log = createLog(() => {});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lane-session-"));
  spool = openSpool(dir, { clock: systemClock, log, onSendable: () => {} });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const unused = () => Promise.reject(new Error("unused"));

const turns = async (count = 5) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** A session on a link that only records, with a clock that is told what time it is. */
function start({ running } = { running: [{ job: "j", attempt: 1 }] }) {
  let nowMs = 0;
  const timers: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    timer: (_ms, fn) => {
      timers.push(fn);
      return () => {};
    },
  };
  const frames: WorkerFrame[] = [];
  const sent: number[] = [];
  const closes: number[] = [];
  const link: HostLink = {
    send: (frame) => frames.push(frame),
    sendEvents: (_job, _attempt, lines) => sent.push(...lines.map(({ seq }) => seq)),
    bufferedBytes: () => 0,
    isOpen: () => true,
    close: (code) => closes.push(code),
  };
  const session = startSession(link, {
    clock,
    log,
    spool,
    jobs: {
      start: () => Promise.reject(new Error("unused")),
      cancel: async () => ({ kind: "refused", error: { code: "unknown_attempt", message: "no" } }),
      running: () => running,
      setPaused: () => {},
      endDamaged: () => {},
      stop: async () => {},
    },
    git: { fetch: unused, read: unused, advance: unused, look: unused },
    credentials: {
      deliver: () => Promise.reject(new Error("unused")),
      read: () => Promise.reject(new Error("unused")),
    },
    calls: createHostCalls({ clock }),
  });
  const beat = async () => {
    nowMs += HEARTBEAT_EVERY_MS;
    for (const fn of timers.splice(0)) fn();
    await turns();
  };
  return { session, frames, sent, closes, beat };
}

describe("the worker's end of a link", () => {
  it("welcomes, answers pings, and beats every 10 s until 30 s of silence", async () => {
    const { session, frames, closes, beat } = start();
    session.onFrame({ t: "ping", id: 5 });
    expect(frames).toEqual([
      { t: "welcome", attempts: [] },
      { t: "pong", id: 5 },
    ]);
    await beat();
    expect(frames.at(-1)).toEqual({ t: "heartbeat", running: [{ job: "j", attempt: 1 }] });
    await beat();
    await beat();
    session.onFrame({ t: "ping", id: 6 });
    for (let i = 0; i < 3; i++) await beat();
    expect(closes).toEqual([]);
    await beat();
    expect(closes).toEqual([LINK_CLOSE.silence]);
  });

  it("says nothing by itself while it is idle", async () => {
    const { frames, beat } = start({ running: [] });
    await beat();
    expect(frames).toEqual([{ t: "welcome", attempts: [] }]);
  });

  it("streams only once the host has said what it has, and takes its word for it", async () => {
    const attempt = await spool.accept({ job: "j", attempt: 1, bodyHash: "ab".repeat(32), generation: 1, atMs: 1 });
    for (const text of ["a", "b", "c"]) attempt.appendOutput([{ type: "output", stream: "stdout", text }]);
    attempt.ack(2);
    const { session, sent, closes } = start();
    session.notify(attempt);
    await turns();
    expect(sent).toEqual([]);
    // Less than it once acknowledged: its record was restored.
    session.onFrame({ t: "resume", acked: { "j/1": 1 } });
    expect(await waitFor(sent, 2)).toEqual([2, 3]);
    session.onFrame({ t: "resume", acked: {} });
    expect(closes).toEqual([LINK_CLOSE.protocol]);
  });

  it("goes on after its own account of acks where the host names none", async () => {
    const attempt = await spool.accept({ job: "j", attempt: 1, bodyHash: "ab".repeat(32), generation: 1, atMs: 1 });
    for (const text of ["a", "b", "c"]) attempt.appendOutput([{ type: "output", stream: "stdout", text }]);
    attempt.ack(2);
    const { session, sent } = start();
    session.onFrame({ t: "resume", acked: {} });
    await turns();
    expect(sent).toEqual([3]);
  });
});

async function waitFor(list: readonly number[], length: number): Promise<readonly number[]> {
  for (let i = 0; i < 200 && list.length < length; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  return list;
}
