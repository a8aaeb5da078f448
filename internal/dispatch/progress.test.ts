import { describe, expect, it } from "vitest";
import { firstLook, heard, type Moment, moved, type Progress, stuckForMs } from "./progress.ts";

const AFTER = 600_000;
const at = (ms: number): Moment => ({ wallMs: 5_000_000 + ms, monotonicMs: ms });
const idle = { processes: 2, cpuTicks: 40 };

/** Heartbeats every 10 s from `from` to `to`. */
function beats(progress: Progress, from: number, to: number, usage = idle): Progress {
  let now = progress;
  for (let ms = from; ms <= to; ms += 10_000) now = heard(now, usage, at(ms));
  return now;
}

describe("an attempt's progress", () => {
  it("is stuck once heartbeats have told of nothing for long enough, and no moment before", () => {
    const progress = beats(moved(firstLook(1, at(0)), at(0)), 10_000, 610_000);
    expect(stuckForMs(progress, 609_999, AFTER)).toBeNull();
    expect(stuckForMs(progress, 610_000, AFTER)).toBe(600_000);
    expect(progress.lastAtMs).toBe(5_000_000);
  });

  it.each([
    ["CPU time", { processes: 2, cpuTicks: 41 }],
    ["CPU time that a process took with it when it ended", { processes: 2, cpuTicks: 12 }],
    ["another process", { processes: 3, cpuTicks: 40 }],
    ["one process less", { processes: 1, cpuTicks: 40 }],
  ])("goes on with %s", (_, usage) => {
    const progress = heard(beats(firstLook(1, at(0)), 10_000, 600_000), usage, at(605_000));
    expect(progress).toMatchObject({ lastAtMs: 5_605_000, sinceMs: 605_000 });
    expect(stuckForMs(progress, 620_000, AFTER)).toBeNull();
  });

  it("goes on with output", () => {
    const progress = moved(beats(firstLook(1, at(0)), 10_000, 600_000), at(605_000));
    expect(stuckForMs(heard(progress, idle, at(620_000)), 620_000, AFTER)).toBeNull();
  });

  it("is not stuck while nobody knows: no heartbeat, none that measures, none any more", () => {
    const unseen = firstLook(1, at(0));
    expect(stuckForMs(unseen, 10 * AFTER, AFTER)).toBeNull();
    expect(stuckForMs(heard(unseen, null, at(10 * AFTER)), 10 * AFTER, AFTER)).toBeNull();
    const gone = beats(unseen, 10_000, 590_000);
    expect(stuckForMs(gone, 620_000, AFTER)).toBe(610_000);
    expect(stuckForMs(gone, 620_001, AFTER)).toBeNull();
  });

  it("is measured on from where it was when heartbeats come back", () => {
    const progress = beats(beats(firstLook(1, at(0)), 10_000, 300_000), 700_000, 700_000);
    expect(stuckForMs(progress, 700_000, AFTER)).toBe(690_000);
  });

  it("begins with the first heartbeat, which is no sign of progress", () => {
    const progress = heard(firstLook(1, at(0)), idle, at(400_000));
    expect(progress).toMatchObject({ lastAtMs: null, sinceMs: 400_000 });
    expect(stuckForMs(beats(progress, 410_000, 990_000), 990_000, AFTER)).toBeNull();
    expect(stuckForMs(beats(progress, 410_000, 1_000_000), 1_000_000, AFTER)).toBe(600_000);
  });
});
