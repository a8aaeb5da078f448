import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LANE_HISTORY_MAX } from "./lane-history.ts";
import type { Store } from "./open-store.ts";
import { filledStore, job, lane, openIn, spec, type TempFolder, tempFolder, workspace } from "./testing.ts";

let folder: TempFolder;
let store: Store;
beforeEach(() => {
  folder = tempFolder();
  store = filledStore(folder.path);
});
afterEach(() => {
  store.close();
  folder[Symbol.dispose]();
});

const code = (value: string) => expect.objectContaining({ code: value });
const entry = { atMs: 9, generation: 1, event: "created", from: "creating", to: "starting", cause: null };

describe("workspaces", () => {
  it("are unique by id, name and path, and not removed under their lanes", () => {
    expect(() => store.workspaces.insert({ ...workspace, id: "other", path: "/x" })).toThrow(code("workspace.exists"));
    expect(() => store.workspaces.insert({ ...workspace, id: "other", name: "x" })).toThrow(code("workspace.exists"));
    expect(() => store.workspaces.delete("ws")).toThrow(code("workspace.in_use"));
    store.lanes.deleteLane("demo");
    store.workspaces.delete("ws");
    store.workspaces.delete("ws");
    expect(store.workspaces.find("ws")).toBeNull();
  });
});

describe("lanes", () => {
  it("keep every field over a restart", () => {
    store.lanes.updateLane("demo", { desired: "stopped", settings: { ...lane("demo").settings, env: { A: "1" } } });
    store.close();
    store = openIn(folder.path);
    expect(store.lanes.findLane("demo")).toEqual({
      ...lane("demo"),
      desired: "stopped",
      settings: { ...lane("demo").settings, env: { A: "1" } },
    });
    expect(store.lanes.findLane("nosuch")).toBeNull();
  });

  it("refuse a second one of the same name, a missing workspace, and changes to what is not there", () => {
    expect(() => store.lanes.insertLane({ ...lane("demo"), id: "other" })).toThrow(code("lane.exists"));
    expect(() => store.lanes.insertLane({ ...lane("b"), workspaceId: "no" })).toThrow(code("workspace.not_found"));
    expect(() => store.lanes.updateLane("no", { desired: "up" })).toThrow(code("lane.not_found"));
    expect(() => store.lanes.beginGeneration("no", spec, "f", 1)).toThrow(code("lane.not_found"));
    expect(() => store.lanes.appendHistory("no", entry)).toThrow(code("lane.not_found"));
    expect(() => store.lanes.saveMemory("no", { failuresAtMs: [], failed: null })).toThrow(code("lane.not_found"));
  });

  it("give out generations that only grow, with the spec each was created from", () => {
    expect([1, 2].map(() => store.lanes.beginGeneration("demo", spec, "fp", 7))).toEqual([1, 2]);
    expect(store.lanes.findLane("demo")?.generation).toBe(2);
    const record = { laneId: "demo", generation: 1, spec, fingerprint: "fp", createdAtMs: 7 };
    expect(store.lanes.findGeneration("demo", 1)).toEqual(record);
    expect(store.lanes.findGeneration("demo", 3)).toBeNull();
  });

  it("hand on fields of a spec that the store does not know, and no spec of another schema", () => {
    const richer = { ...spec, limits: { ...spec.limits, added: 1 } };
    store.lanes.beginGeneration("demo", richer, "fp", 7);
    expect(store.lanes.findGeneration("demo", 1)?.spec).toEqual(richer);
    store.lanes.beginGeneration("demo", { ...spec, schema: 2 as never }, "fp", 7);
    expect(store.lanes.findGeneration("demo", 2)).toBeNull();
  });

  it("remember failures", () => {
    expect(store.lanes.loadMemory("demo")).toEqual({ failuresAtMs: [], failed: null });
    const cause = { code: "engine.bad_mount", message: "no such folder", hint: "make it" };
    const memory = { failuresAtMs: [1, 2], failed: { cause, logTail: ["a"], atMs: 3 } };
    store.lanes.saveMemory("demo", memory);
    expect(store.lanes.loadMemory("demo")).toEqual(memory);
  });

  it("keep a bounded history whose numbers go on, mirrored in the feed", () => {
    const before = store.feed.latest();
    for (let i = 0; i < LANE_HISTORY_MAX + 20; i++) store.lanes.appendHistory("demo", { ...entry, atMs: i });
    const all = store.lanes.listHistory("demo", { limit: 10_000 });
    expect([all.length, all[0]?.seq, all.at(-1)?.seq]).toEqual([LANE_HISTORY_MAX, 21, LANE_HISTORY_MAX + 20]);
    expect(store.lanes.listHistory("demo", { limit: 2 }).map((one) => one.seq)).toEqual([519, 520]);
    expect(store.feed.readAfter(before, 1)[0]).toMatchObject({ type: "lane.created", lane: "demo", job: null });
  });

  it("take their keys, spool and history with them, and leave their jobs", () => {
    store.jobs.insert(job("j1", { key: "k" }));
    store.jobs.saveSpool("demo", "spool-a", 1);
    store.lanes.appendHistory("demo", entry);
    store.lanes.deleteLane("demo");
    store.lanes.deleteLane("demo");
    expect([store.jobs.findByKey("demo", "k"), store.jobs.findSpool("demo")]).toEqual([null, null]);
    expect(store.lanes.listHistory("demo", { limit: 10 })).toEqual([]);
    expect(store.jobs.find("j1")?.laneId).toBe("demo");
    expect(() => store.jobs.insert(job("j2"))).toThrow(code("lane.not_found"));
  });
});
