import { pino } from "pino";
import { beforeEach, describe, expect, it } from "vitest";
import { FakeRuntime } from "../../test/support/fake-runtime.ts";
import type { ObservedContainer } from "../lane/index.ts";
import { TEST_INSTALL, testContainer, testSpec } from "../reconcile/testing.ts";
import { Janitor, type JanitorDeps } from "./janitor.ts";
import type { MonitorProcess } from "./ports.ts";
import { createFakeBoot } from "./testing/fake-boot.ts";
import { createFakeHost } from "./testing/fake-host.ts";
import { createScene, engineError, LANE, leftovers, NAMES, NOTHING, ONE_LANE_UP } from "./testing.ts";

const { install } = TEST_INSTALL;
const GRACE_MS = 60_000;

const labelsOf = (lane: string, owner = install) => ({
  "io.lanekeeper.install": owner,
  "io.lanekeeper.lane": lane,
  "io.lanekeeper.schema": "1",
});

function container(name: string, change: Partial<ObservedContainer> = {}): ObservedContainer {
  const labels = { ...testContainer(testSpec()).labels, lane: name } as ObservedContainer["labels"];
  const of = { name, id: name.padEnd(64, "0"), labels, rawLabels: labelsOf(name), networks: [], mounts: [] };
  return { ...testContainer(testSpec()), ...of, ...change };
}

const monitor = (containerId: string, pid = 500): MonitorProcess => ({
  pid,
  startTime: pid * 7,
  containerId,
  containerName: "lane-x",
});

let runtime: FakeRuntime;
let boot: ReturnType<typeof createFakeBoot>;
let host: ReturnType<typeof createFakeHost>;
let known: Set<string>;
let seen: Map<string, number>;
let nowMs: number;

beforeEach(() => {
  runtime = new FakeRuntime();
  boot = createFakeBoot();
  host = createFakeHost(runtime);
  known = new Set();
  seen = new Map();
  nowMs = 0;
});

/** One pass, by a janitor of its own: sightings are shared over passes. */
async function sweep(deps: Partial<JanitorDeps> = {}) {
  const log = pino({ level: "silent" });
  const isKnown = (lane: string) => known.has(lane);
  const all = { install, runtime, boot, host, log, isKnown, nowMs: () => nowMs, graceMs: GRACE_MS, ...deps };
  return new Janitor(all, seen).sweep(await runtime.listContainers({ install }), {});
}

describe("the janitor", () => {
  it("removes what belongs to no lane, after its grace and not before", async () => {
    runtime.addContainer(container("gone"));
    await runtime.ensureNetwork({ name: "net-gone", isolate: true, labels: labelsOf("gone") }, {});
    boot.folders.set("gone", 1);
    host.monitors.push(monitor("f".repeat(64)));
    for (nowMs of [0, 30_000, 59_999]) {
      const report = await sweep();
      expect(report).toMatchObject({ containers: [], networks: [], folders: [], monitors: [] });
    }
    expect(runtime.containers()).toHaveLength(1);
    nowMs = 60_000;
    expect(await sweep()).toEqual({
      containers: ["gone"],
      networks: ["net-gone"],
      folders: ["gone"],
      monitors: [500],
      strayVolumes: [],
    });
    expect(runtime.containers()).toEqual([]);
    expect(await runtime.listNetworks({ install })).toEqual([]);
    expect(boot.folders.size).toBe(0);
    expect(host.reaped).toEqual([monitor("f".repeat(64))]);
    expect(await sweep()).toMatchObject({ containers: [], networks: [], folders: [], monitors: [] });
    expect(seen.size).toBe(0);
  });

  it("counts the grace anew for what was away in between", async () => {
    boot.folders.set("again", 1);
    await sweep();
    boot.folders.clear();
    nowMs = 30_000;
    await sweep();
    boot.folders.set("again", 1);
    nowMs = 70_000;
    expect((await sweep()).folders).toEqual([]);
    nowMs = 130_000;
    expect((await sweep()).folders).toEqual(["again"]);
  });

  it("leaves all that belongs to a lane on record", async () => {
    known.add("here");
    runtime.addContainer(container("here"));
    await runtime.ensureNetwork({ name: "net-here", isolate: true, labels: labelsOf("here") }, {});
    boot.folders.set("here", 1);
    host.monitors.push(monitor(container("here").id));
    const owner = { uid: 0, gid: 0 };
    await runtime.ensureVolume({ name: "vol-here", labels: labelsOf("here"), owner }, {});
    for (nowMs of [0, 100_000, 200_000]) await sweep();
    expect(runtime.containers()).toHaveLength(1);
    expect(await runtime.listNetworks({ install })).toHaveLength(1);
    expect(boot.folders.size).toBe(1);
    expect(host.reaped).toEqual([]);
    expect((await sweep()).strayVolumes).toEqual([]);
  });

  it("never touches what is another's", async () => {
    const foreign = container("theirs", { rawLabels: labelsOf("theirs", "another"), labels: null });
    runtime.addContainer(foreign);
    await runtime.ensureNetwork({ name: "net-theirs", isolate: true, labels: labelsOf("theirs", "another") }, {});
    const mark = runtime.calls.length;
    for (nowMs of [0, 100_000, 200_000]) await sweep();
    expect(runtime.containers()).toEqual([foreign]);
    expect(await runtime.listNetworks({ install: "another" })).toHaveLength(1);
    expect(runtime.calls.slice(mark).filter((call) => call.method.startsWith("remove"))).toEqual([]);
  });

  it("only names a stray volume: it may hold work", async () => {
    const owner = { uid: 0, gid: 0 };
    await runtime.ensureVolume({ name: "vol-gone", labels: labelsOf("gone"), owner }, {});
    for (nowMs of [0, 100_000, 200_000]) expect((await sweep()).strayVolumes).toEqual(["vol-gone"]);
    expect(await runtime.listVolumes({ install })).toHaveLength(1);
  });

  it("reaps the orphaned monitor and no other: not one whose container is known, nor a new one of the same pid", async () => {
    known.add("here");
    runtime.addContainer(container("here"));
    host.monitors.push(monitor(container("here").id, 501), monitor("e".repeat(64), 502));
    await sweep();
    host.monitors[1] = { ...monitor("e".repeat(64), 502), startTime: 1 };
    nowMs = 60_000;
    expect((await sweep()).monitors).toEqual([]);
    nowMs = 120_000;
    expect((await sweep()).monitors).toEqual([502]);
    expect(host.reaped.map((m) => m.pid)).toEqual([502]);
  });

  it("does not stop at what will not go", async () => {
    runtime.addContainer(container("one"));
    runtime.addContainer(container("two"));
    for (const lane of ["one", "two"]) {
      await runtime.ensureNetwork({ name: `net-${lane}`, isolate: true, labels: labelsOf(lane) }, {});
      boot.folders.set(lane, 1);
    }
    await sweep();
    nowMs = 60_000;
    runtime.failNext("removeContainer", engineError("engine.request_failed"));
    runtime.failNext("removeNetwork", engineError("engine.request_failed"));
    expect(await sweep()).toMatchObject({ containers: ["two"], networks: ["net-two"], folders: ["one", "two"] });
    expect(await sweep()).toMatchObject({ containers: ["one"], networks: ["net-one"] });
  });

  it("gives up when the engine does not answer", async () => {
    runtime.addContainer(container("one"));
    await sweep();
    nowMs = 60_000;
    runtime.failNext("removeContainer", engineError("engine.unavailable"));
    await expect(sweep()).rejects.toMatchObject({ code: "engine.unavailable" });
  });
});

describe("the supervisor's sweeps", () => {
  it("find what was left of a lane that is gone from the record, and end it within two graces", async () => {
    const scene = createScene();
    await scene.up();
    scene.life.kill();
    scene.store.deleteLane(LANE.id);
    scene.begin();
    await scene.clock.advance(55_000);
    expect(scene.runtime.containers()).toHaveLength(1);
    await scene.clock.advance(65_000);
    const [owner, name] = [{ install }, NAMES.volume];
    expect(await scene.runtime.listVolumes(owner)).toEqual([{ name, lane: LANE.id }]);
    await scene.runtime.removeVolume(name, {});
    expect(await leftovers(scene)).toBe(NOTHING);
  });

  it("take the grace by the time that passes, not by the wall clock", async () => {
    const scene = createScene();
    await scene.up();
    scene.boot.folders.set("gone", 1);
    await scene.supervisor.sweep({});
    scene.clock.jumpWall(3_600_000);
    expect((await scene.supervisor.sweep({})).folders).toEqual([]);
    expect((await scene.supervisor.sweep({ graceMs: 0 })).folders).toEqual(["gone"]);
  });

  it("cost the engine nothing while there is nothing to do", async () => {
    const scene = createScene();
    await scene.up();
    await scene.clock.advance(70_000);
    const mark = scene.runtime.calls.length;
    await scene.clock.advance(600_000);
    const lists = scene.runtime.calls.slice(mark).filter((call) => /listNetworks|listVolumes/.test(call.method));
    expect(lists).toEqual([]);
  });

  it("do not cost the connection when something will not go", async () => {
    const scene = createScene();
    await scene.up();
    const { removeNetwork } = scene.runtime;
    scene.runtime.removeNetwork = async () => {
      throw engineError("engine.request_failed", "in use");
    };
    await removeNetwork.call(scene.runtime, "x", {});
    await scene.runtime.ensureNetwork({ name: "net-gone", isolate: true, labels: labelsOf("gone") }, {});
    await scene.supervisor.sweep({ graceMs: 0 });
    await scene.clock.advance(300_000);
    expect(scene.runtime.calls.filter((call) => call.method === "facts")).toHaveLength(1);
    expect(scene.events()).toBe("create created started proven");
    expect(await leftovers(scene)).toBe(ONE_LANE_UP.replace("networks 1", "networks 2"));
  });
});
