import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WorkerEvent } from "../job/index.ts";
import { FEED_MAX } from "./feed.ts";
import type { Store } from "./open-store.ts";
import { active, filledStore, job, lane, type TempFolder, tempFolder } from "./testing.ts";

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
const out = (seq: number): WorkerEvent => ({ seq, atMs: seq, type: "output", stream: "stdout", text: `line ${seq}` });
const finished: WorkerEvent = {
  seq: 3,
  atMs: 3,
  type: "finished",
  outcome: { kind: "exited", result: { exitCode: 0, signal: null, stderrTail: "", truncated: false } },
};

describe("jobs", () => {
  it("keep every field; a key belongs to one job of a lane", () => {
    const one = job("j1", { key: "k", state: active("running"), startedAtMs: 4 });
    store.jobs.insert(one);
    expect(store.jobs.find("j1")).toEqual(one);
    expect(store.jobs.findByKey("demo", "k")).toEqual(one);
    expect(() => store.jobs.insert(job("j2", { key: "k" }))).toThrow(code("request.key_conflict"));
    expect(store.jobs.find("j2")).toBeNull();
    store.lanes.insertLane(lane("other"));
    store.jobs.insert(job("j3", { key: "k", laneId: "other" }));
    store.jobs.save({ ...one, state: { phase: "lost", attempt: 1, error: { code: "x", message: "y" } }, endedAtMs: 9 });
    expect(store.jobs.find("j1")).toMatchObject({ endedAtMs: 9, state: { phase: "lost" } });
    expect(() => store.jobs.save(job("nosuch"))).toThrow(code("job.not_found"));
  });

  it("say which one's work in git is not on record: the lane's latest, once it has ended", () => {
    const end = (id: string, endedAtMs: number) =>
      store.jobs.save(job(id, { state: { phase: "lost", attempt: 1, error: { code: "x", message: "y" } }, endedAtMs }));
    store.jobs.insert(job("j1"));
    expect(store.jobs.findUnkept("demo")).toBeNull();
    end("j1", 10);
    store.jobs.insert(job("j2"));
    expect(store.jobs.findUnkept("demo")).toBe("j1");
    store.jobs.putGit("j1", { commits: [], uncommitted: [] }, 9);
    expect(store.jobs.findUnkept("demo")).toBe("j1");
    store.jobs.putGit("j1", { commits: [], uncommitted: [] }, 10);
    expect(store.jobs.findUnkept("demo")).toBeNull();
    end("j2", 20);
    expect([store.jobs.findUnkept("demo"), store.jobs.findUnkept("x")]).toEqual(["j2", null]);
  });

  it("queue by priority, then first in", () => {
    for (const [id, priority] of [
      ["a", 0],
      ["b", 5],
      ["c", 0],
      ["d", 5],
    ] as const)
      store.jobs.insert(job(id, { priority }));
    store.jobs.insert(job("busy", { state: active("accepted") }));
    expect(store.jobs.listQueued("demo").map((one) => one.id)).toEqual(["b", "d", "a", "c"]);
    expect(store.jobs.nextQueued("demo")?.id).toBe("b");
    expect([store.jobs.countQueued("demo"), store.jobs.hasActive("demo"), store.jobs.hasActive("x")]).toEqual([
      4,
      true,
      false,
    ]);
    expect(store.jobs.listActive(null).map((one) => one.id)).toEqual(["busy"]);
    expect(store.jobs.countByPhase()).toEqual({ queued: 4, accepted: 1 });
  });

  it("are listed newest first, by page and by prefix", () => {
    for (const id of ["01a", "01b", "02a"]) store.jobs.insert(job(id));
    expect(store.jobs.list({ limit: 2 }).map((one) => one.id)).toEqual(["02a", "01b"]);
    expect(store.jobs.list({ laneId: "demo", before: "01b", limit: 9 }).map((one) => one.id)).toEqual(["01a"]);
    expect(store.jobs.list({ laneId: "other", limit: 9 })).toEqual([]);
    expect(store.jobs.findByPrefix("01", 9).map((one) => one.id)).toEqual(["01a", "01b"]);
    expect(store.jobs.findByPrefix("01%", 9)).toEqual([]);
  });
});

describe("a job's log", () => {
  beforeEach(() => {
    store.jobs.insert(job("j1"));
    store.jobs.putAttempt("j1", 1, 4, 10);
  });

  it("numbers host and worker events 1..n and gives them back as they were", () => {
    store.jobs.appendHostEvent("j1", 1, 5, { type: "state", phase: "running", detail: null });
    store.jobs.appendWorkerEvents("j1", 1, [out(1), out(2)]);
    store.jobs.appendWorkerEvents("j1", 1, [finished]);
    expect(store.jobs.readEvents("j1", { after: 0, limit: 9 })).toEqual([
      { seq: 1, job: "j1", attempt: 1, atMs: 5, type: "state", phase: "running", detail: null },
      { ...out(1), seq: 2, job: "j1", attempt: 1 },
      { ...out(2), seq: 3, job: "j1", attempt: 1 },
      { ...finished, seq: 4, job: "j1", attempt: 1 },
    ]);
    expect(store.jobs.readEvents("j1", { after: 2, limit: 1 }).map((one) => one.seq)).toEqual([3]);
    expect(store.jobs.lastEvents("j1", { limit: 2 }).map((one) => one.seq)).toEqual([3, 4]);
    expect(store.jobs.lastLaneEvents("demo", { limit: 3 }).map((one) => one.seq)).toEqual([2, 3, 4]);
    expect(store.jobs.findAttempt("j1", 1)).toMatchObject({ generation: 4, lastSeq: 3, finished: true, outcome: null });
  });

  it("refuses repeats, gaps and anything after the end, leaving nothing behind", () => {
    store.jobs.appendWorkerEvents("j1", 1, [out(1)]);
    for (const events of [[out(1)], [out(3)], [out(2), out(4)]]) {
      expect(() => store.jobs.appendWorkerEvents("j1", 1, events)).toThrow(
        expect.objectContaining({ name: "AppError" }),
      );
    }
    expect(() => store.jobs.appendWorkerEvents("j1", 2, [out(1)])).toThrow(code("internal.bug"));
    store.jobs.appendWorkerEvents("j1", 1, [out(2), finished]);
    expect(() => store.jobs.appendWorkerEvents("j1", 1, [out(4)])).toThrow(code("internal.bug"));
    expect(store.jobs.readEvents("j1", { after: 0, limit: 9 }).map((one) => one.seq)).toEqual([1, 2, 3]);
  });

  it("knows what to acknowledge and how attempts ended", () => {
    store.jobs.appendWorkerEvents("j1", 1, [out(1), out(2)]);
    store.jobs.putAttempt("j1", 1, 5, 11);
    store.jobs.endAttempt("j1", 1, { phase: "lost", attempt: 1, error: { code: "spool_lost", message: "m" } }, 12);
    store.jobs.putAttempt("j1", 2, 6, 13);
    expect(store.jobs.listAcked("demo", 10)).toEqual([{ job: "j1", attempt: 1, lastSeq: 2 }]);
    expect(store.jobs.listAttempts("j1")).toMatchObject([
      { attempt: 1, generation: 5, dispatchedAtMs: 10, endedAtMs: 12, outcome: { phase: "lost" } },
      { attempt: 2, generation: 6, dispatchedAtMs: 13, endedAtMs: null, outcome: null },
    ]);
    expect(() =>
      store.jobs.endAttempt("j1", 3, { phase: "lost", attempt: 3, error: { code: "a", message: "b" } }, 1),
    ).toThrow(code("internal.bug"));
  });
});

describe("the feed", () => {
  it("is numbered, read from anywhere, by lane, and heard live", () => {
    const start = store.feed.latest();
    const heard: number[] = [];
    const off = store.feed.subscribe((entry) => heard.push(entry.seq));
    store.feed.subscribe(() => {
      throw new Error("a bad subscriber");
    });
    const add = (laneId: string | null) =>
      store.feed.append({ atMs: 1, type: "t", lane: laneId, job: null, data: { a: 1 } }).seq;
    expect([add("demo"), add(null), add("demo")]).toEqual([start + 1, start + 2, start + 3]);
    expect(store.feed.readAfter(start + 1, 10).map((entry) => entry.seq)).toEqual([start + 2, start + 3]);
    expect(store.feed.lastOf("demo", 2).map((entry) => entry.seq)).toEqual([start + 1, start + 3]);
    off();
    add(null);
    expect(heard).toEqual([start + 1, start + 2, start + 3]);
  });

  it("is bounded and never reuses a number", () => {
    store.transaction(() => {
      for (let i = 0; i < FEED_MAX + 3000; i++)
        store.feed.append({ atMs: 1, type: "t", lane: null, job: null, data: {} });
    });
    const count = store.feed.latest() - store.feed.oldest() + 1;
    expect(count).toBeGreaterThanOrEqual(FEED_MAX);
    expect(count).toBeLessThan(FEED_MAX + 1000);
    const latest = store.feed.latest();
    expect(store.feed.append({ atMs: 1, type: "t", lane: null, job: null, data: {} }).seq).toBe(latest + 1);
  });
});
