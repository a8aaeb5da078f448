import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../base/index.ts";
import { sseMessage, sseStream } from "./sse.ts";

const decode = (chunk: Uint8Array | undefined) => new TextDecoder().decode(chunk);
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A clock whose only timer is fired by hand. */
function handClock() {
  const timers = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    timer: (_, fn) => {
      timers.add(fn);
      return () => timers.delete(fn);
    },
  };
  const fire = () => {
    for (const fn of [...timers]) {
      timers.delete(fn);
      fn();
    }
  };
  return { clock, timers, fire };
}

function open(messages: (signal: AbortSignal) => AsyncIterable<string>, clock: Clock = systemClock) {
  const stop = new AbortController();
  const errors: Error[] = [];
  const stream = sseStream({ messages, clock, stopping: stop.signal, onError: (error) => errors.push(error) });
  const reader = stream.getReader();
  return { stop, errors, reader, read: async () => decode((await reader.read()).value) };
}

/** Waits until the signal aborts, as a follower without news does. */
const never = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

describe("sseMessage", () => {
  it("is one message, whatever the data", () => {
    expect(sseMessage({ id: 3, data: { text: "a\nb\r\nid: 9\n\n" } })).toBe(
      'id: 3\ndata: {"text":"a\\nb\\r\\nid: 9\\n\\n"}\n\n',
    );
    expect(sseMessage({ id: 4, event: "gap", data: 1 })).toBe("id: 4\nevent: gap\ndata: 1\n\n");
  });
});

describe("sseStream", () => {
  it("says at once that it is open, joins what is there, and ends with its source", async () => {
    const { read, reader, errors } = open(async function* () {
      yield "a";
      yield "b";
      await settle();
      yield "c";
    });
    expect([await read(), await read(), await read()]).toEqual([": \n\n", "ab", "c"]);
    expect((await reader.read()).done).toBe(true);
    expect(errors).toEqual([]);
  });

  it("is quiet, not silent", async () => {
    const hand = handClock();
    const { read, reader } = open(async function* (signal) {
      yield "a";
      await never(signal);
    }, hand.clock);
    await read();
    expect(await read()).toBe("a");
    for (let i = 0; i < 3; i++) {
      const next = read();
      await settle();
      hand.fire();
      expect(await next).toBe(": \n\n");
    }
    await reader.cancel();
    expect(hand.timers.size).toBe(0);
  });

  it("reads no further than its reader", async () => {
    let given = 0;
    const { read } = open(async function* () {
      for (;;) {
        given += 1;
        yield `${given}\n`;
      }
    });
    await read();
    await settle();
    await settle();
    // One batch waits in the stream, a second one is never begun.
    expect(given).toBeLessThanOrEqual(256);
    await read();
    await settle();
    expect(given).toBeLessThanOrEqual(2 * 256);
  });

  it("ends its source when the reader goes, also in the middle of a wait", async () => {
    let ended = 0;
    const { reader, errors } = open(async function* (signal) {
      try {
        yield "a";
        await never(signal);
      } finally {
        ended += 1;
      }
    });
    await reader.read();
    await reader.read();
    const waiting = reader.read();
    await settle();
    await reader.cancel();
    await waiting;
    await settle();
    expect([ended, errors]).toEqual([1, []]);
  });

  it("ends quietly when the daemon stops, even if its source does not listen", async () => {
    const { stop, reader, read, errors } = open(async function* () {
      yield "a";
      await new Promise(() => {});
    });
    await read();
    await read();
    const waiting = reader.read();
    await settle();
    stop.abort();
    expect((await waiting).done).toBe(true);
    expect(errors).toEqual([]);
    const late = sseStream({
      messages: () => (async function* () {})(),
      clock: systemClock,
      stopping: AbortSignal.abort(),
      onError: () => {},
    }).getReader();
    expect([decode((await late.read()).value), (await late.read()).done]).toEqual([": \n\n", true]);
  });

  it("hands a failure on, once, and ends", async () => {
    const { reader, read, errors } = open(async function* () {
      yield "a";
      throw new Error("broken");
    });
    await read();
    const rest: string[] = [];
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest.push(decode(next.value));
    expect([rest.join(""), errors.map((error) => error.message)]).toEqual(["a", ["broken"]]);
  });
});
