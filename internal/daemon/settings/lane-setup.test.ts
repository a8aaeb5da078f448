import { pino } from "pino";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { Job, JobSpec, JobState } from "../../job/index.ts";
import { type Lane, type SetupCommand, toSetupArgv } from "../../lane/index.ts";
import type { Store } from "../../store/index.ts";
import { filledStore, job as jobNamed, tempFolder } from "../../store/testing.ts";
import { createLaneSetup, type LaneSetup } from "./lane-setup.ts";

const folder = tempFolder();
afterAll(() => folder[Symbol.dispose]());

const RESULT = { exitCode: 1, signal: null, stderrTail: "", truncated: false } as const;
const DONE: JobState = { phase: "succeeded", attempt: 1, result: { ...RESULT, exitCode: 0 } };
const FAILED: JobState = {
  phase: "failed",
  attempt: 1,
  result: RESULT,
  error: { code: "exit", message: "exit code 1" },
};

let count = 0;
let store: Store;
let lane: Lane;
let setup: readonly SetupCommand[];
let teardown: readonly SetupCommand[];
/** What comes of the next teardown. */
let end: JobState;
let calls: string[];
const other = jobNamed("other", { laneId: "demo" });

beforeEach(() => {
  store = filledStore(`${folder.path}/${count++}`);
  const found = store.lanes.listLanes().find(({ id }) => id === "demo");
  if (!found) throw new Error("the store has no lane demo");
  lane = { ...found, generation: 1 };
  [setup, teardown, end, calls] = [["npm ci"], [], DONE, []];
});

/** As a daemon has it after its start. */
function newSetup(): LaneSetup {
  const mustFind = (id: string): Job => store.jobs.find(id) ?? other;
  const put = (job: Job): Job => {
    store.jobs.save(job);
    return job;
  };
  const dispatcher = {
    submit: ({ laneId, spec }: { laneId: string; spec: JobSpec }) => {
      const id = `job${calls.length}-${count}`;
      calls.push(`submit ${spec.key}`);
      const job = jobNamed(id, { laneId, spec });
      store.jobs.insert(job);
      return { job, created: true };
    },
    retry: (id: string) => {
      calls.push(`retry ${id}`);
      return put({ ...mustFind(id), state: { phase: "queued", attempt: 1, waiting: null } });
    },
    cancel: (id: string) => {
      calls.push(`cancel ${id}`);
      return put({ ...mustFind(id), state: { phase: "cancelled", attempt: 0, result: null, forced: false } });
    },
    waitJob: async (id: string) => put({ ...mustFind(id), state: end }),
    busy: () => false,
    readmit: () => undefined,
    findJob: mustFind,
  };
  return createLaneSetup({
    records: store.laneConfig,
    dispatcher: () => dispatcher,
    findJob: store.jobs.find,
    findKey: store.jobs.findByKey,
    findLane: (id) => (id === lane.id ? lane : null),
    isReady: () => true,
    commandsOf: () => ({ setup, teardown }),
    nowMs: () => 1000,
    log: pino({ level: "silent" }),
  });
}

const endIt = (view: { readonly job: string | null }, state: JobState): void => {
  const job = store.jobs.find(view.job ?? "");
  if (!job) throw new Error("no such job");
  store.jobs.save({ ...job, state });
};

describe("a lane's setup", () => {
  it("is one job per container, before everything else, whose end lets the others go on", () => {
    const desk = newSetup();
    expect(desk.holdOf(other)).toMatchObject({ reason: "setup", untilMs: 3000 });
    for (let time = 0; time < 3; time++) desk.begin("demo");
    const view = desk.viewOf(lane);
    expect([calls, view.state]).toEqual([["submit setup:1"], "running"]);
    const job = store.jobs.find(view.job ?? "");
    expect(job?.spec).toMatchObject({ priority: 1000, work: { argv: toSetupArgv(["npm ci"]) } });
    expect(job && desk.holdOf(job)).toBeNull();
    expect(desk.holdOf(other)?.detail).toContain(view.job);
    endIt(view, DONE);
    expect([desk.holdOf(other), desk.viewOf(lane).state]).toEqual([null, "done"]);
    lane = { ...lane, generation: 2 };
    desk.begin("demo");
    expect(calls).toEqual(["submit setup:1", "submit setup:2"]);
  });

  it("is not begun twice by a daemon that died between its job and the note of it", () => {
    const first = newSetup();
    first.begin("demo");
    store.laneConfig.saveSetup("demo", { generation: 0, job: null, tries: 0, skipped: false });
    setup = ["something else by now"];
    const second = newSetup();
    second.begin("demo");
    expect(calls).toEqual(["submit setup:1"]);
    expect(second.viewOf(lane)).toEqual(first.viewOf(lane));
  });

  it("says what failed and keeps the others waiting until it is tried again", () => {
    const desk = newSetup();
    desk.begin("demo");
    const view = desk.viewOf(lane);
    endIt(view, FAILED);
    expect(desk.viewOf(lane)).toMatchObject({ state: "failed", cause: { code: "setup_failed" } });
    expect(desk.holdOf(other)?.detail).toContain(view.job);
    expect(desk.again("demo").id).toBe(view.job);
    expect(calls.at(-1)).toBe(`retry ${view.job}`);
    endIt(view, DONE);
    expect(desk.holdOf(other)).toBeNull();
    desk.again("demo");
    expect(calls.at(-1)).toBe("submit setup:1:2");
    endIt(desk.viewOf(lane), FAILED);
    setup = ["npm ci --force"];
    desk.again("demo");
    expect(calls.at(-1)).toBe("submit setup:1:3");
  });

  it("can be skipped in this container, also over a restart", () => {
    const desk = newSetup();
    desk.begin("demo");
    const { job } = desk.viewOf(lane);
    desk.skip("demo");
    expect([calls.at(-1), desk.holdOf(other)]).toEqual([`cancel ${job}`, null]);
    const later = newSetup();
    later.begin("demo");
    expect([later.viewOf(lane).state, later.holdOf(other)]).toEqual(["skipped", null]);
    lane = { ...lane, generation: 2 };
    expect(later.holdOf(other)).not.toBeNull();
  });

  it("of other commands waits for the next container, whose start ends what the last one left", () => {
    setup = [];
    const desk = newSetup();
    desk.begin("demo");
    setup = ["npm ci"];
    desk.begin("demo");
    expect([calls, desk.holdOf(other), desk.viewOf(lane).state]).toEqual([[], null, "none"]);
    lane = { ...lane, generation: 2 };
    desk.begin("demo");
    const { job } = desk.viewOf(lane);
    lane = { ...lane, generation: 3 };
    desk.begin("demo");
    expect(calls).toEqual(["submit setup:2", `cancel ${job}`, "submit setup:3"]);
  });
});

describe("a lane's teardown", () => {
  it("runs alone before the lane goes", async () => {
    teardown = ["make clean"];
    setup = [];
    const desk = newSetup();
    desk.begin("demo");
    await desk.teardown(lane, { force: false });
    expect(calls).toEqual(["submit null"]);
    expect(desk.holdOf(other)?.detail).toContain("being removed");
    desk.forget("demo");
    expect(desk.holdOf(other)).toBeNull();
  });

  it("keeps the lane when it fails, but not by force", async () => {
    teardown = ["false"];
    end = FAILED;
    const desk = newSetup();
    await expect(desk.teardown(lane, { force: false })).rejects.toThrow(/its teardown ended failed/);
    await desk.teardown(lane, { force: true });
  });
});
