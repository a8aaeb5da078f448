import { afterEach, describe, expect, it, vi } from "vitest";
import { armFaults, faultPoint } from "./fault-point.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const watchKill = () => vi.spyOn(process, "kill").mockImplementation(() => true);
const inTestBuild = () => vi.stubGlobal("LANEKEEPER_FAULTS", true);

describe("a fault point", () => {
  it("does nothing but in a test build, whatever is armed", () => {
    const kill = watchKill();
    armFaults("laned.dispatched");
    armFaults("no such thing");
    faultPoint("laned.dispatched");
    expect(kill).not.toHaveBeenCalled();
  });

  it("kills at the pass that was asked for, once, and no other point does", () => {
    inTestBuild();
    const kill = watchKill();
    armFaults("laned.dispatched:3");
    for (let pass = 1; pass <= 5; pass++) {
      faultPoint("laned.start-sent");
      faultPoint("laned.dispatched");
      expect(kill).toHaveBeenCalledTimes(pass < 3 ? 0 : 1);
    }
    expect(kill).toHaveBeenCalledWith(process.pid, "SIGKILL");
  });

  it("kills at the first pass when none is named", () => {
    inTestBuild();
    const kill = watchKill();
    armFaults("worker.claimed");
    faultPoint("worker.claimed");
    expect(kill).toHaveBeenCalledTimes(1);
  });

  it.each(["laned.nowhere", "laned.dispatched:0", "laned.dispatched:x", "toString"])("refuses FAULT=%s", (text) => {
    inTestBuild();
    expect(() => armFaults(text)).toThrow(/names no fault point/);
  });

  it("is armed by nothing", () => {
    inTestBuild();
    expect(() => armFaults(undefined)).not.toThrow();
    expect(() => armFaults("")).not.toThrow();
  });
});
