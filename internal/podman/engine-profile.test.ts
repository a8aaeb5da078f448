import { describe, expect, it } from "vitest";
import { limitCandidates, parseHardLimits, readHardLimits } from "./engine-profile.ts";

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             96365                unlimited            processes
Max open files            1024                 20000                files
`;

describe("hard limits", () => {
  it("are the second column; unlimited is none", () => {
    expect(parseHardLimits(LIMITS)).toEqual({ nofile: 20_000, nproc: null });
    expect(parseHardLimits("")).toEqual({ nofile: null, nproc: null });
  });

  it("of this machine allow no more processes than there are pids", () => {
    expect(readHardLimits().nproc).toBeLessThanOrEqual(4_194_304);
    expect(readHardLimits().nproc).toBeGreaterThan(0);
  });
});

describe("the limits that are tried", () => {
  it("begin with the engine's own, go on with ours, end with modest ones", () => {
    expect(limitCandidates({ nofile: 20_000, nproc: 32_768 })).toEqual([
      { nofile: null, nproc: null },
      { nofile: 20_000, nproc: 32_768 },
      { nofile: 4096, nproc: 4096 },
    ]);
  });

  it("leave ours out where there are none", () => {
    expect(limitCandidates({ nofile: null, nproc: null })).toHaveLength(2);
  });
});
