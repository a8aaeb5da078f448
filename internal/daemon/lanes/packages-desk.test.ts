import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { AppError } from "../../base/index.ts";
import { createFakeClock } from "../../base/testing.ts";
import { type DerivedImage, derivedImageOf, type Lane } from "../../lane/index.ts";
import type { BuildFacts, FoundDerived, ImageBuilder } from "../../podman/index.ts";
import type { EngineConnection } from "../../supervisor/index.ts";
import { createPackagesDesk } from "./packages-desk.ts";

const ENGINE = { facts: { address: "unix:///x" } } as EngineConnection;
const LANES = Array.from({ length: 10 }, (_, at) => ({ id: `lane-${at}`, name: `l${at}` }) as Lane);
const [ONE, TWO, THREE] = ["tree", "jq", "zip"].map((name) =>
  derivedImageOf("inst", "a".repeat(64), { apt: [name], npm: [] }),
) as [DerivedImage, DerivedImage, DerivedImage];

function scene() {
  const clock = createFakeClock();
  const builds: { image: DerivedImage; signal: AbortSignal | undefined; end: (error?: Error) => void }[] = [];
  const woken: string[] = [];
  const here = new Map<string, FoundDerived>();
  const kept = new Set<string>();
  const builder: ImageBuilder = {
    build: (image, _, { signal }) =>
      new Promise((resolve, reject) => {
        const giveUp = () => reject(new AppError({ code: "cancelled", message: "given up" }));
        if (signal?.aborted) giveUp();
        signal?.addEventListener("abort", giveUp);
        builds.push({ image, signal, end: (error) => (error ? reject(error) : resolve()) });
      }),
    list: async () => [...here.values()],
    remove: async (id) => !kept.has(id) && here.delete(id),
    sweep: async (_, making) => making().map(({ name }) => name),
    close: async () => undefined,
  };
  const desk = createPackagesDesk({
    install: "inst",
    openBuilder: () => builder,
    factsOf: async () => ({}) as BuildFacts,
    lanes: () => LANES,
    wake: (laneId) => void woken.push(laneId),
    clock,
    log: pino({ level: "silent" }),
  });
  const settle = () => clock.advance(1);
  return { clock, desk, builds, woken, here, kept, settle };
}

describe("createPackagesDesk", () => {
  it("makes an image once for ten lanes that ask at once, and wakes all of them", async () => {
    const { desk, builds, woken, settle } = scene();
    for (const { id } of LANES) expect(desk.begin(id, ONE, ENGINE)).toBe(true);
    for (const { id } of LANES) expect(desk.begin(id, ONE, ENGINE)).toBe(false);
    await settle();
    expect([builds.length, desk.causeOf("lane-3")?.code]).toEqual([1, "image_making"]);
    builds[0]?.end();
    await settle();
    expect(woken).toEqual(LANES.map(({ id }) => id));
    expect(desk.causeOf("lane-3")).toBeNull();
  });

  it("makes at most two at once", async () => {
    const { desk, builds, settle } = scene();
    for (const [at, image] of [ONE, TWO, THREE].entries()) desk.begin(`lane-${at}`, image, ENGINE);
    await settle();
    expect(builds).toHaveLength(2);
    builds[0]?.end();
    await settle();
    expect(builds.map(({ image }) => image.name)).toEqual([ONE.name, TWO.name, THREE.name]);
  });

  it("tells each lane by its name why it failed, until that one tries again or wants another", async () => {
    const { desk, builds, woken, settle } = scene();
    desk.begin("lane-0", ONE, ENGINE);
    desk.begin("lane-1", ONE, ENGINE);
    await settle();
    const details = { output: ["E: one", "E: two"] };
    builds[0]?.end(new AppError({ code: "engine.image_failed", message: "no tree", hint: "mend it", details }));
    await settle();
    expect(woken).toEqual(["lane-0", "lane-1"]);
    expect(desk.failureOf("lane-1", ONE)).toEqual({
      code: "engine.image_failed",
      message: "lane l1: no tree",
      hint: "mend it: lane start l1",
    });
    expect([desk.outputOf("lane-1"), desk.failureOf("lane-1", TWO), desk.failureOf("lane-2", ONE)]).toEqual([
      details.output,
      null,
      null,
    ]);
    desk.retry("lane-0");
    desk.note("lane-1", TWO);
    expect([desk.failureOf("lane-0", ONE), desk.failureOf("lane-1", ONE)]).toEqual([null, null]);
  });

  it("takes the engine's going for no failure, and pauses before the next try", async () => {
    const { desk, builds, woken, clock, settle } = scene();
    desk.begin("lane-0", ONE, ENGINE);
    await settle();
    builds[0]?.end(new AppError({ code: "engine.unavailable", message: "gone" }));
    await settle();
    expect(woken).toEqual([]);
    await clock.advance(1000);
    expect([woken, desk.failureOf("lane-0", ONE)]).toEqual([["lane-0"], null]);
  });

  it("gives up what no lane waits for any more, and only that", async () => {
    const { desk, builds, settle } = scene();
    for (const id of ["lane-0", "lane-1", "lane-2"]) desk.begin(id, ONE, ENGINE);
    await settle();
    desk.leave("lane-0");
    desk.note("lane-1", null);
    desk.note("lane-2", ONE);
    expect(builds[0]?.signal?.aborted).toBe(false);
    desk.note("lane-2", TWO);
    expect(builds[0]?.signal?.aborted).toBe(true);
    await settle();
    expect(desk.failureOf("lane-2", ONE)).toBeNull();
    expect(desk.begin("lane-2", ONE, ENGINE)).toBe(true);
    await desk[Symbol.asyncDispose]();
  });

  it("removes images that no lane has wanted for an hour, or at once by request; never one in use or unknown", async () => {
    const { desk, here, kept, clock } = scene();
    for (const { name, key } of [ONE, TWO]) here.set(key, { id: key, name });
    desk.note("lane-0", ONE);
    expect(await desk.prune(ENGINE, {})).toEqual([]);
    for (const { id } of LANES.slice(1)) desk.note(id, null);
    expect(await desk.sweep(ENGINE, {})).toEqual([]);
    await clock.advance(3_600_000);
    kept.add(TWO.key);
    expect(await desk.sweep(ENGINE, {})).toEqual([]);
    kept.clear();
    expect(await desk.sweep(ENGINE, {})).toEqual([TWO.name]);
    desk.note("lane-0", null);
    here.set("half", { id: "half", name: null });
    expect(await desk.prune(ENGINE, {})).toEqual([ONE.name, "half"]);
  });

  it("leaves an image without a name alone while one is being made", async () => {
    const { desk, here, settle } = scene();
    for (const { id } of LANES) desk.note(id, null);
    here.set("half", { id: "half", name: null });
    desk.begin("lane-0", ONE, ENGINE);
    await settle();
    expect(await desk.sweep(ENGINE, {})).toEqual([ONE.name]);
    expect(here.size).toBe(1);
    await desk[Symbol.asyncDispose]();
  });
});
