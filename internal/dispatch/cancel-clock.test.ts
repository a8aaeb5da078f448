import { describe, expect, it } from "vitest";
import { type CancelSeen, type CancelWait, moveCancelClocks } from "./cancel-clock.ts";

const limitMs = 60_000;

/** Looks once a second from 0 on; gives the seconds at which something was overdue. */
function run(seconds: number, seenAt: (second: number) => readonly CancelSeen[]): readonly number[] {
  let waits: ReadonlyMap<string, CancelWait> = new Map();
  const overdueAt: number[] = [];
  for (let second = 0; second <= seconds; second++) {
    const moved = moveCancelClocks(waits, seenAt(second), { nowMs: second * 1000, limitMs });
    waits = moved.waits;
    if (moved.overdue.length > 0) overdueAt.push(second);
  }
  return overdueAt;
}

describe("a wish to cancel", () => {
  it("is overdue when its worker has not confirmed it in time, and again if that changes nothing", () => {
    expect(run(130, () => [{ key: "a/1", signs: 0 }])).toEqual([60, 120]);
  });

  it("has its clock started anew by each step of the ending", () => {
    // INT after 5 s, TERM after 15 s, KILL after 25 s, and then nothing more.
    const signs = (second: number) => [5, 15, 25].filter((at) => second >= at).length;
    expect(run(90, (second) => [{ key: "a/1", signs: signs(second) }])).toEqual([85]);
  });

  it("is not overdue when its job ends in time", () => {
    expect(run(200, (second) => (second < 59 ? [{ key: "a/1", signs: 0 }] : []))).toEqual([]);
  });

  it("has a clock of its own", () => {
    const seen = (second: number) => [{ key: "a/1", signs: 0 }, ...(second >= 30 ? [{ key: "b/1", signs: 0 }] : [])];
    expect(run(95, seen)).toEqual([60, 90]);
  });
});
