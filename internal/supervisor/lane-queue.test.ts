import { beforeEach, describe, expect, it } from "vitest";
import { TaskGroup } from "../base/index.ts";
import { createFakeClock, type FakeClock, settle } from "../base/testing.ts";
import { LaneQueue } from "./lane-queue.ts";

interface Run {
  readonly key: string;
  /** Ends the run; the next one comes after `afterMs`. */
  readonly end: (afterMs?: number | null) => Promise<void>;
}

let clock: FakeClock;
let tasks: TaskGroup;
let queue: LaneQueue;
let runs: Run[];

beforeEach(() => {
  clock = createFakeClock();
  tasks = new TaskGroup((name, error) => {
    throw new Error(`${name}: ${error.message}`);
  });
  runs = [];
  const run = (key: string) =>
    new Promise<number | null>((resolve) => {
      const end = (afterMs: number | null = null) => {
        resolve(afterMs);
        return settle();
      };
      runs.push({ key, end });
    });
  queue = new LaneQueue({ clock, tasks, run });
});

const keys = () => runs.map((run) => run.key).join("");
const last = () => runs.at(-1) as Run;

describe("the queue of lanes", () => {
  it("runs a key at once, and never twice at a time", async () => {
    queue.wake("a");
    expect(keys()).toBe("a");
    queue.wake("a");
    await settle();
    expect(keys()).toBe("a");
  });

  it("makes one more run of all wake-ups during a run", async () => {
    queue.wake("a");
    for (let i = 0; i < 5; i++) queue.wake("a");
    await last().end();
    expect(keys()).toBe("aa");
    await last().end();
    expect(keys()).toBe("aa");
    expect(tasks.size).toBe(0);
  });

  it("runs different keys side by side", async () => {
    queue.wake("a");
    queue.wake("b");
    queue.wake("a");
    expect(keys()).toBe("ab");
    await runs[0]?.end();
    expect(keys()).toBe("aba");
  });

  it("runs again after the time that a run has asked for", async () => {
    queue.wake("a");
    await last().end(1000);
    await clock.advance(999);
    expect(keys()).toBe("a");
    await clock.advance(1);
    expect(keys()).toBe("aa");
    await last().end();
    await clock.advance(10_000);
    expect(keys()).toBe("aa");
  });

  it("forgets that time when it is woken before, and when it was woken during the run", async () => {
    queue.wake("a");
    await last().end(1000);
    queue.wake("a");
    expect(clock.pending).toBe(0);
    queue.wake("a");
    await last().end(1000);
    expect(keys()).toBe("aaa");
    expect(clock.pending).toBe(0);
    await last().end();
  });

  it("closes: cancels timers, starts nothing, lets the run under way end", async () => {
    queue.wake("a");
    await last().end(1000);
    queue.wake("b");
    queue.wake("b");
    queue.close();
    expect(clock.pending).toBe(0);
    queue.wake("a");
    queue.wake("c");
    await last().end(5);
    await clock.advance(10_000);
    expect(keys()).toBe("ab");
    expect(clock.pending).toBe(0);
    expect(tasks.size).toBe(0);
  });

  it("goes on with a key whose run has failed", async () => {
    const failures: string[] = [];
    let count = 0;
    const fragile = new LaneQueue({
      clock,
      tasks: new TaskGroup((_, error) => failures.push(error.message)),
      run: async () => {
        count += 1;
        if (count === 1) throw new Error("once");
        return null;
      },
    });
    fragile.wake("a");
    await settle();
    expect(failures).toEqual(["once"]);
    fragile.wake("a");
    await settle();
    expect(count).toBe(2);
  });
});
