import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../base/index.ts";
import { makeTestRepo, type TestRepo } from "../../git/testing.ts";
import { DEFAULT_SETTINGS, type Lane } from "../../lane/index.ts";
import { openStore, type Store } from "../../store/index.ts";
import type { GitNote } from "./git-desk.ts";
import { createPushDesk, type PushDesk } from "./push-desk.ts";

let t: TestRepo;
let store: Store;
let desk: PushDesk;
let lane: Lane;
let note: GitNote | null;
let settled: string[];
beforeEach(() => {
  t = makeTestRepo();
  store = openStore({ path: join(t.root, "state.db"), nowMs: () => Date.now(), onError: () => {} });
  note = null;
  settled = [];
  lane = {
    id: "fix-1",
    name: "fix",
    workspaceId: "w",
    branch: "main",
    worktree: "/nowhere",
    desired: "up",
    settings: { ...DEFAULT_SETTINGS, onSuccess: "push" },
    generation: 1,
    createdAtMs: 0,
  };
  desk = createPushDesk({
    git: t.git,
    gitDesk: { settle: async ({ id }) => void settled.push(id), noteOf: () => note },
    findLane: (id) => (id === lane.id ? lane : null),
    gitDirOf: async () => t.gitDir,
    feed: store.feed,
    clock: systemClock,
    log: pino({ level: "silent" }),
  });
});
afterEach(async () => {
  await desk[Symbol.asyncDispose]();
  store.close();
  t.dispose();
});

const jobEnds = async (type = "job.succeeded") => {
  store.feed.append({ atMs: 1, type, lane: lane.id, job: "j1", data: {} });
  await desk.settle(lane, { waitMs: 20_000 });
};
const told = () =>
  store.feed
    .readAfter(0, 100)
    .filter(({ type }) => type.startsWith("lane."))
    .map(({ type, data }) => [type, data.remote, data.message]);
const addRemote = () => {
  const remote = join(t.root, "remote.git");
  t.raw(t.root, "init", "--quiet", "--bare", remote);
  t.raw(t.path, "remote", "add", "origin", remote);
  return remote;
};

describe("a push after a job", () => {
  it("comes once the job's commits are here, and is told with what was pushed", async () => {
    const remote = addRemote();
    await jobEnds();
    expect(settled).toEqual(["fix-1"]);
    expect(t.raw(remote, "rev-parse", "main")).toBe(t.raw(t.path, "rev-parse", "main"));
    expect(told()).toEqual([["lane.pushed", "origin", undefined]]);
    expect(desk.noteOf(lane.id)).toMatchObject({ ok: true, remote: "origin", message: null });
    await jobEnds();
    expect(told()).toHaveLength(1);
  });

  it("comes for no other end of a job, and for no lane that does not want it", async () => {
    addRemote();
    await jobEnds("job.failed");
    lane = { ...lane, settings: DEFAULT_SETTINGS };
    await jobEnds();
    expect([told(), settled, desk.noteOf(lane.id)]).toEqual([[], [], null]);
  });

  it("that fails is told, and tried again after the next job", async () => {
    await jobEnds();
    expect(told()).toEqual([["lane.push_failed", null, expect.stringContaining("remote.pushDefault")]]);
    addRemote();
    note = { diverged: { lane: "a", host: "b" }, held: null };
    await jobEnds();
    expect(desk.noteOf(lane.id)).toMatchObject({ ok: false, message: expect.stringContaining("gone apart") });
    note = null;
    await jobEnds();
    expect(desk.noteOf(lane.id)).toMatchObject({ ok: true });
  });
});
