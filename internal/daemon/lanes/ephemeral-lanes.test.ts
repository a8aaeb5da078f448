import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { AppError } from "../../base/index.ts";
import { createFakeClock, type FakeClock } from "../../base/testing.ts";
import type { Job, JobState } from "../../job/index.ts";
import { DEFAULT_SETTINGS, type Lane } from "../../lane/index.ts";
import type { FeedEntry } from "../../store/index.ts";
import { decideEphemeral, type EphemeralDeps, watchEphemeral } from "./ephemeral-lanes.ts";

const LANE: Lane = {
  id: "once-1",
  name: "once",
  workspaceId: "ws1",
  branch: "once",
  worktree: "/w",
  desired: "up",
  settings: { ...DEFAULT_SETTINGS, ephemeral: true },
  generation: 1,
  createdAtMs: 0,
};
const RESULT = { exitCode: 0, signal: null, stderrTail: "", truncated: false };
const SUCCEEDED: JobState = { phase: "succeeded", attempt: 1, result: RESULT };
const FAILED: JobState = { phase: "failed", attempt: 1, result: RESULT, error: { code: "exit", message: "exit 1" } };
const jobWith = (state: JobState, endedAtMs: number | null): Job => ({
  id: "job1",
  laneId: LANE.id,
  spec: { work: { kind: "command", argv: ["true"] }, key: null, deadlineMs: null, priority: 0, retry: "never" },
  bodyHash: "h",
  state,
  createdAtMs: 0,
  startedAtMs: 0,
  endedAtMs,
});

describe("decideEphemeral", () => {
  const base = { nowMs: 10_000, job: jobWith(SUCCEEDED, 0), busy: false, open: null };
  const queued = jobWith({ phase: "queued", attempt: 0, waiting: null }, null);
  it.each([
    ["goes after its job has succeeded", {}, { kind: "go" }],
    ["waits for a first job", { job: null }, { kind: "wait" }],
    ["waits for the next one", { busy: true }, { kind: "wait" }],
    ["waits while one is on its way", { job: queued }, { kind: "wait" }],
    ["waits a moment after its end", { nowMs: 2999 }, { kind: "wait" }],
    ["stays after a failure", { job: jobWith(FAILED, 0) }, { kind: "keep", why: "its job job1 is failed" }],
    ["stays for a question", { open: "a question" }, { kind: "keep", why: "a question" }],
  ])("%s", (_, change, decision) => {
    expect(decideEphemeral({ ...base, ...change })).toEqual(decision);
  });
});

describe("watchEphemeral", () => {
  const watches: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const watch of watches.splice(0)) await watch[Symbol.asyncDispose]();
  });

  const makeScene = (change: Partial<EphemeralDeps> = {}, clock: FakeClock = createFakeClock()) => {
    const entries: FeedEntry[] = [];
    const listeners = new Set<(entry: FeedEntry) => void>();
    const scene = {
      clock,
      entries,
      lanes: [LANE],
      job: jobWith(SUCCEEDED, clock.nowMs()) as Job | null,
      lost: [] as string[],
      removed: [] as string[],
      told: () => entries.map(({ type, data }) => [type, data.why]),
      happen: (type: string) => {
        const entry = { seq: 0, atMs: 0, type, lane: LANE.id, job: null, data: {} };
        for (const listener of listeners) listener(entry);
      },
    };
    watches.push(
      watchEphemeral({
        lanes: () => scene.lanes,
        factsOf: () => ({ job: scene.job, busy: false, open: null }),
        settle: async () => undefined,
        lossesOf: async () => scene.lost,
        remove: async ({ id }) => {
          scene.removed.push(id);
          scene.lanes = [];
        },
        feed: {
          append: (entry) => {
            entries.push({ seq: entries.length + 1, ...entry });
            return { seq: entries.length, ...entry };
          },
          subscribe: (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
          },
          lastOf: () => entries,
        },
        clock,
        log: pino({ level: "silent" }),
        ...change,
      }),
    );
    return scene;
  };

  it("takes up where an earlier daemon ended, and removes with a word in the feed", async () => {
    const scene = makeScene();
    await scene.clock.advance(3000);
    expect([scene.removed, scene.told()]).toEqual([[LANE.id], [["lane.ephemeral_removed", undefined]]]);
  });

  it("leaves other lanes alone, and waits for a job", async () => {
    const scene = makeScene();
    scene.lanes = [{ ...LANE, settings: DEFAULT_SETTINGS }];
    await scene.clock.advance(60_000);
    scene.lanes = [LANE];
    scene.job = null;
    await scene.clock.advance(60_000);
    expect([scene.removed, scene.told()]).toEqual([[], []]);
  });

  it("says once why a lane stays, again when the reason is another one, and removes it once there is none", async () => {
    const scene = makeScene();
    scene.lost = ["1 untracked path (x)"];
    await scene.clock.advance(60_000);
    const first = ["lane.ephemeral_kept", "would lose 1 untracked path (x)"];
    expect(scene.told()).toEqual([first]);
    scene.job = jobWith(FAILED, 0);
    scene.happen("job.failed");
    await scene.clock.advance(3000);
    expect(scene.told()).toEqual([first, ["lane.ephemeral_kept", "its job job1 is failed"]]);
    scene.job = jobWith(SUCCEEDED, 0);
    scene.lost = [];
    scene.happen("job.succeeded");
    await scene.clock.advance(3000);
    expect(scene.removed).toEqual([LANE.id]);
  });

  it("keeps the lane when another job came while it looked, and when the removal is refused", async () => {
    const scene = makeScene({
      lossesOf: async () => {
        scene.job = jobWith({ phase: "queued", attempt: 0, waiting: null }, null);
        return [];
      },
    });
    await scene.clock.advance(3000);
    expect(scene.removed).toEqual([]);
    const refusing = makeScene({
      remove: () => Promise.reject(new AppError({ code: "lane.busy", message: "lane once is running a job" })),
    });
    await refusing.clock.advance(3000);
    expect(refusing.told()).toEqual([["lane.ephemeral_kept", "lane once is running a job"]]);
  });
});
