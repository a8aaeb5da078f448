import { totalmem } from "node:os";
import { describe, expect, it } from "vitest";
import { parseMemAvailable, readFreeMemory } from "./free-memory.ts";

describe("free memory", () => {
  it("is what the kernel calls available, in bytes", () => {
    const text =
      "MemTotal:        8028508 kB\nMemFree:          501112 kB\nMemAvailable:    6012340 kB\nBuffers: 1 kB\n";
    expect(parseMemAvailable(text)).toBe(6_012_340 * 1024);
  });

  it.each(["", "MemTotal: 8028508 kB\n", "MemAvailable: lots\n", "xMemAvailable: 5 kB\n"])(
    "is unknown in %j",
    (text) => {
      expect(parseMemAvailable(text)).toBeNull();
    },
  );

  it("is read from this machine", () => {
    const bytes = readFreeMemory();
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(totalmem());
  });
});
