import { describe, expect, it } from "vitest";
import { waitAtMost, withDeadline } from "./clock.ts";
import { AppError } from "./errors.ts";
import { createFakeClock, settle } from "./testing.ts";

const late = () => new AppError({ code: "timeout", message: "late" });

describe("withDeadline", () => {
  it("goes by the clock it is given, and leaves no timer behind", async () => {
    const clock = createFakeClock();
    const waiting = withDeadline({ ms: 1000, makeError: late, clock }, (signal) => clock.sleep(5000, { signal }));
    const failed = expect(waiting).rejects.toMatchObject({ code: "timeout" });
    await clock.advance(999);
    expect(clock.pending).toBe(2);
    await clock.advance(1);
    await failed;
    expect(clock.pending).toBe(0);
    expect(await withDeadline({ ms: 1000, makeError: late, clock }, async () => "done")).toBe("done");
    expect(clock.pending).toBe(0);
  });

  it("tells the caller's cancel from its own end", async () => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const { signal } = stop;
    const waiting = withDeadline({ ms: 1000, signal, makeError: late, clock }, (s) => clock.sleep(5000, { signal: s }));
    const failed = expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    stop.abort();
    await failed;
    await settle();
    expect(clock.pending).toBe(0);
  });

  it("goes by the machine's clock otherwise", async () => {
    const never = (signal: AbortSignal) => new Promise((_, reject) => signal.addEventListener("abort", reject));
    await expect(withDeadline({ ms: 1, makeError: late }, never)).rejects.toMatchObject({ code: "timeout" });
  });
});

describe("waitAtMost", () => {
  const clock = createFakeClock();
  const isOver = async (waiting: Promise<void>) => {
    let over = false;
    void waiting.then(() => {
      over = true;
    });
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return over;
  };
  const never = new Promise<void>(() => undefined);

  it("ends with the work, also when that fails", async () => {
    await waitAtMost(Promise.resolve(1), { waitMs: 1000, clock });
    await waitAtMost(Promise.reject(new Error("its owner sees to it")), { waitMs: 1000, clock });
  });

  it("ends when the time is over, and with the signal", async () => {
    const waiting = waitAtMost(never, { waitMs: 1000, clock });
    expect(await isOver(waiting)).toBe(false);
    await clock.advance(1000);
    expect(await isOver(waiting)).toBe(true);
    const stop = new AbortController();
    const stopped = waitAtMost(never, { waitMs: 1000, clock, signal: stop.signal });
    expect(await isOver(stopped)).toBe(false);
    stop.abort();
    expect(await isOver(stopped)).toBe(true);
  });
});
