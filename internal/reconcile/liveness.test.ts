import { describe, expect, it } from "vitest";
import type { ContainerStatus } from "../lane/index.ts";
import { judgeLiveness, type Liveness } from "./index.ts";
import { testContainer, testSpec } from "./testing.ts";

const spec = testSpec();

describe("liveness", () => {
  it.each<[ContainerStatus, "main alive" | "main gone", "monitor alive" | "monitor gone", Liveness["kind"]]>([
    ["running", "main alive", "monitor alive", "alive"],
    ["running", "main alive", "monitor gone", "orphaned"],
    ["running", "main gone", "monitor alive", "limbo"],
    ["running", "main gone", "monitor gone", "limbo"],
    ["paused", "main alive", "monitor alive", "paused"],
    ["exited", "main gone", "monitor gone", "dead"],
    ["exited", "main alive", "monitor gone", "limbo"],
    ["stopped", "main gone", "monitor gone", "dead"],
    ["stopped", "main alive", "monitor alive", "limbo"],
    ["created", "main gone", "monitor gone", "dead"],
    ["configured", "main gone", "monitor gone", "dead"],
    ["initialized", "main gone", "monitor gone", "limbo"],
    ["stopping", "main gone", "monitor gone", "limbo"],
    ["removing", "main gone", "monitor gone", "limbo"],
    ["unknown", "main gone", "monitor gone", "limbo"],
  ])("%s, %s, %s: %s", (status, main, monitor, kind) => {
    const seen = testContainer(spec, { status });
    const alive = { main: main === "main alive", monitor: monitor === "monitor alive" };
    expect(judgeLiveness(seen, { alive: alive.main }, { alive: alive.monitor }).kind).toBe(kind);
  });

  it("says how it ended", () => {
    const seen = testContainer(spec, { status: "exited", exitCode: 137, oomKilled: true });
    const gone = { alive: false };
    expect(judgeLiveness(seen, gone, gone)).toEqual({
      kind: "dead",
      exitCode: 137,
      oomKilled: true,
      everStarted: true,
    });
    const created = testContainer(spec, { status: "created", startedAtMs: null });
    expect(judgeLiveness(created, gone, gone)).toMatchObject({ kind: "dead", everStarted: false });
  });
});
