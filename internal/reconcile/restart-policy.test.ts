import { describe, expect, it } from "vitest";
import { decideRestart, DEFAULT_RESTART_POLICY as policy } from "./index.ts";

describe("restart policy", () => {
  it("waits 1, 2, 4 … 60 s within 25 % and gives up at the 8th failure in ten minutes, for 1000 seeds", () => {
    const bare = [1, 2, 4, 8, 16, 32, 60];
    for (let seed = 0; seed < 1000; seed++) {
      let failuresAtMs: readonly number[] = [];
      let nowMs = 1_000_000;
      for (const [index, seconds] of bare.entries()) {
        const unit = ((seed * 7919 + index * 104729) % 1000) / 1000;
        const verdict = decideRestart(policy, { kind: "ordinary", failuresAtMs, nowMs, unit });
        if (verdict.kind !== "retry") throw new Error(`gave up at failure ${index + 1}`);
        expect(verdict.delayMs).toBeGreaterThanOrEqual(seconds * 750);
        expect(verdict.delayMs).toBeLessThanOrEqual(seconds * 1250);
        failuresAtMs = verdict.failuresAtMs;
        nowMs += verdict.delayMs;
      }
      expect(decideRestart(policy, { kind: "ordinary", failuresAtMs, nowMs, unit: 0.5 }).kind).toBe("give_up");
    }
  });

  it("forgets failures older than the window", () => {
    const old = Array.from({ length: 7 }, (_, i) => i);
    const verdict = decideRestart(policy, {
      kind: "ordinary",
      failuresAtMs: old,
      nowMs: policy.windowMs + 100,
      unit: 0.5,
    });
    expect(verdict).toMatchObject({ kind: "retry", delayMs: 1000 });
  });

  it("gives up at once on what trying again cannot mend", () => {
    expect(decideRestart(policy, { kind: "terminal", failuresAtMs: [], nowMs: 0, unit: 0 }).kind).toBe("give_up");
  });

  it("tries a taken port again at once, but only once", () => {
    const first = decideRestart(policy, { kind: "at_once", failuresAtMs: [], nowMs: 0, unit: 0.5 });
    expect(first).toMatchObject({ kind: "retry", delayMs: 0 });
    const second = decideRestart(policy, { kind: "at_once", failuresAtMs: first.failuresAtMs, nowMs: 1, unit: 0.5 });
    expect(second).toMatchObject({ kind: "retry", delayMs: 2000 });
  });
});
