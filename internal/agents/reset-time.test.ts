import { describe, expect, it } from "vitest";
import { parseClockTime, parseWait } from "./reset-time.ts";

const NOW = Date.parse("2026-11-21T13:00:00Z");
const iso = (atMs: number | null) => (atMs === null ? null : new Date(atMs).toISOString());

describe("parseWait", () => {
  it.each([
    ["Please retry in 3s.", 3000],
    ["Please retry in 47.5s", 47_500],
    ["Your quota will reset after 3h12m5s.", 11_525_000],
    ["try again in 2 days 3 hours", 183_600_000],
    ["retry in 850ms", 850],
    ["try again in 5 minutes", 300_000],
    ["try again later", null],
    ["retry in 0s", null],
    ["retry in 99999999 days", null],
  ])("%s", (message, ms) => {
    expect(parseWait(message, NOW)).toBe(ms === null ? null : NOW + ms);
  });

  it("is quick with a text that was made to be slow", () => {
    const from = performance.now();
    parseWait(`retry in ${"1 d ".repeat(20_000)}x`, NOW);
    parseWait(`retry in ${"1".repeat(20_000)}`, NOW);
    expect(performance.now() - from).toBeLessThan(1000);
  });
});

describe("parseClockTime", () => {
  it.each([
    ["or try again at 1:35 AM.", "2026-11-22T01:35:00.000Z"],
    ["or try again at 1:35 PM.", "2026-11-21T13:35:00.000Z"],
    ["try again at 12:05 AM", "2026-11-22T00:05:00.000Z"],
    ["try again at 12:59 PM", "2026-11-22T12:59:00.000Z"],
    ["try again at Nov 25th, 2026 1:35 AM", "2026-11-25T01:35:00.000Z"],
    ["try again at Nov 20th, 2026 1:35 AM", null],
    ["try again at Nov 25th, 2036 1:35 AM", null],
    ["try again at Xyz 25th, 2026 1:35 AM", null],
    ["try again", null],
  ])("%s", (message, at) => {
    expect(iso(parseClockTime(message, NOW))).toBe(at);
  });
});
