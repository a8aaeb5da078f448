import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../base/index.ts";
import { LINK_BACKPRESSURE_BYTES, LINK_FRAME_MAX_BYTES } from "../../protocol/index.ts";
import { createLog } from "../log.ts";
import { type AttemptLog, openSpool, type SpooledLine } from "../spool/index.ts";
import { createEventSender } from "./event-sender.ts";
import type { HostLink } from "./host-link.ts";

let dir: string;
let attempt: AttemptLog;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "lane-sender-"));
  const spool = openSpool(dir, { clock: systemClock, log: createLog(() => {}), onSendable: () => {} });
  attempt = await spool.accept({ job: "j", attempt: 1, bodyHash: "ab".repeat(32), generation: 1, atMs: 1 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const turns = async (count = 20) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1));
};

function fakeLink() {
  const frames: (readonly SpooledLine[])[] = [];
  const flushes: (() => void)[] = [];
  const pressure: boolean[] = [];
  let buffered = 0;
  const link: HostLink = {
    send: () => {},
    sendEvents: (_job, _attempt, lines, onFlushed) => {
      frames.push(lines);
      flushes.push(onFlushed);
    },
    bufferedBytes: () => buffered,
    isOpen: () => true,
    close: () => {},
  };
  const on = { pressure: (high: boolean) => pressure.push(high), failed: (error: Error) => expect(error).toBeNull() };
  const setBuffered = (bytes: number) => {
    buffered = bytes;
    for (const flush of flushes.splice(0)) flush();
  };
  return { link, frames, pressure, on, setBuffered, seqs: () => frames.flat().map(({ seq }) => seq) };
}

const spoolOutput = (count: number, text = "x") => {
  for (let i = 0; i < count; i++) attempt.appendOutput([{ type: "output", stream: "stdout", text }]);
};
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe("the event sender", () => {
  it("puts what comes in one tick into frames of at most 64", async () => {
    const { link, on, frames, seqs } = fakeLink();
    const sender = createEventSender(link, [{ attempt, nextSeq: 1 }], on);
    spoolOutput(150);
    sender.notify(attempt);
    await turns(2);
    expect(frames.map((lines) => lines.length)).toEqual([64, 64, 22]);
    expect(seqs()).toEqual(upTo(150));
    spoolOutput(1);
    sender.notify(attempt);
    await turns(2);
    expect(seqs()).toEqual(upTo(151));
  });

  it("keeps every frame below the largest, whatever the output escapes to", async () => {
    const { link, on, frames, seqs } = fakeLink();
    spoolOutput(40, "\u0001".repeat(32 * 1024));
    createEventSender(link, [{ attempt, nextSeq: 1 }], on);
    // What does not fit into memory is read from the disk, which takes its time.
    await vi.waitFor(() => expect(seqs()).toEqual(upTo(40)), { timeout: 10_000 });
    for (const lines of frames) {
      expect(lines.reduce((bytes, line) => bytes + line.bytes, 0)).toBeLessThan(LINK_FRAME_MAX_BYTES - 1024);
    }
  });

  it("stops when the socket is full, tells the producers only when far behind, and goes on", async () => {
    const { link, on, pressure, setBuffered, seqs } = fakeLink();
    const sender = createEventSender(link, [{ attempt, nextSeq: 1 }], on);
    spoolOutput(10);
    sender.notify(attempt);
    await turns(2);
    setBuffered(LINK_BACKPRESSURE_BYTES + 1);
    spoolOutput(10);
    sender.notify(attempt);
    await turns(2);
    expect(seqs()).toEqual(upTo(10));
    expect(pressure).toEqual([]);
    spoolOutput(300);
    sender.notify(attempt);
    await turns(2);
    expect(pressure).toEqual([true]);
    setBuffered(0);
    sender.notify(attempt);
    await turns(5);
    expect(seqs()).toEqual(upTo(320));
  });

  it("goes on after what the host has, from the file where memory forgot it", async () => {
    const { link, on, seqs } = fakeLink();
    spoolOutput(100, "y".repeat(30_000));
    createEventSender(link, [{ attempt, nextSeq: 4 }], on);
    await turns(60);
    expect(seqs()).toEqual(upTo(100, 4));
  });

  it("says nothing more once it is closed, and lets the producers go on", async () => {
    const { link, on, pressure, setBuffered, seqs } = fakeLink();
    const sender = createEventSender(link, [{ attempt, nextSeq: 1 }], on);
    setBuffered(LINK_BACKPRESSURE_BYTES + 1);
    spoolOutput(300);
    sender.notify(attempt);
    await turns(2);
    sender.close();
    setBuffered(0);
    await turns(2);
    expect([seqs(), pressure]).toEqual([[], [true, false]]);
  });
});
