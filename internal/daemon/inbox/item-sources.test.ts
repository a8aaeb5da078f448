import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AccountState, OPEN_ACCOUNT } from "../../agents/index.ts";
import type { LoginState } from "../../credentials/index.ts";
import { type InboxBench, openInboxBench } from "../../inbox/testing.ts";
import type { Job, JobState } from "../../job/index.ts";
import { DEFAULT_SETTINGS, type DriftField, type LaneState } from "../../lane/index.ts";
import { job, lane } from "../../store/testing.ts";
import type { GitNote } from "../git/git-desk.ts";
import { createItemSources, type ItemSources } from "./item-sources.ts";

const result = { exitCode: 3, signal: null, stderrTail: "boom", truncated: false };
const failed = (attempt = 1): JobState => ({
  phase: "failed",
  attempt,
  result,
  error: { code: "exit", message: "exit code 3" },
});
const queued: JobState = { phase: "queued", attempt: 1, waiting: null };
const ready = { phase: "ready" } as LaneState;
const FIELD: DriftField = { part: "env", field: "COLOR", was: null, is: "red" };
const USABLE = { kind: "usable", login: { account: "acc" } } as LoginState;

let bench: InboxBench;
let sources: ItemSources;
let drift: DriftField[];
let phase: LaneState;
let policy: "hold" | "when-idle";
let note: GitNote | null;
let login: LoginState;
let account: AccountState;

function open(): void {
  const seen = () => ({
    lane: { ...lane("demo"), generation: 4, settings: { ...DEFAULT_SETTINGS, drift: policy } },
    state: phase,
    drift,
  });
  sources = createItemSources({
    inbox: bench.inbox,
    feed: bench.store.feed,
    marks: bench.store.laneCalls,
    findJob: (id) => bench.store.jobs.find(id),
    lanes: () => [seen()],
    findLane: (id) => (id === "demo" ? seen() : null),
    noteOf: () => note,
    agents: [{ name: "claude", title: "Claude Code" }],
    loginOf: () => login,
    accountOf: () => account,
    clock: bench.clock,
    log: pino({ level: "silent" }),
  });
  sources.start();
}

beforeEach(() => {
  bench = openInboxBench();
  [drift, phase, policy, note, login, account] = [[], ready, "hold", null, USABLE, OPEN_ACCOUNT];
  open();
});
afterEach(() => {
  sources[Symbol.dispose]();
  bench[Symbol.dispose]();
});

/** The daemon dies; what happens now happens without it. */
function die(meanwhile: () => void): void {
  bench.kill();
  // What it would have written now is lost.
  sources[Symbol.dispose]();
  meanwhile();
  open();
}
function become(id: string, state: JobState, more: Partial<Job> = {}): void {
  const { jobs, feed } = bench.store;
  const next = { ...job(id, more), state };
  if (jobs.find(id)) jobs.save(next);
  else jobs.insert(next);
  feed.append({ atMs: 1, type: `job.${state.phase}`, lane: "demo", job: id, data: {} });
}
const touchLane = () => bench.store.feed.append({ atMs: 1, type: "lane.looked", lane: "demo", job: null, data: {} });
const shown = async () => {
  await bench.clock.advance(25);
  return bench.inbox.list({ limit: 50 }).map(({ kind, state }) => `${kind} ${state.phase}`);
};
const newest = () => bench.inbox.list({ limit: 1 })[0];

describe("a job", () => {
  it("that failed is an item, once, over a restart, and again only when another attempt has failed", async () => {
    become("j2", failed());
    expect(await shown()).toEqual(["failed open"]);
    expect(newest()).toMatchObject({
      subject: "failed:j2",
      jobId: "j2",
      choices: ["retry"],
      title: "true in demo failed",
      body: "exit code 3\n\n    boom",
    });
    die(() => {});
    expect(await shown()).toEqual(["failed open"]);
    bench.inbox.done(newest()?.id ?? "", "cli");
    become("j2", failed());
    expect(await shown()).toEqual(["failed done"]);
    become("j2", failed(2));
    expect(await shown()).toEqual(["failed open", "failed done"]);
  });

  it("that fails, is lost or is tried again while the daemon is away is seen at its start", async () => {
    become("j2", failed());
    expect(await shown()).toEqual(["failed open"]);
    die(() => {
      become("j2", queued);
      become("j3", { phase: "lost", attempt: 1, error: { code: "spool_lost", message: "gone" } });
    });
    expect(await shown()).toEqual(["lost open", "failed done"]);
  });

  it("that was cancelled or went well is none; that of a task ends the task", async () => {
    const task = bench.inbox.createTask(bench.call({ title: "t" }));
    bench.inbox.answer(newest()?.id ?? "", "accept", "cli");
    bench.inbox.startTask(task.id, "j5");
    become("j4", { phase: "cancelled", attempt: 1, result: null, forced: false });
    become("j5", { phase: "succeeded", attempt: 1, result });
    expect(await shown()).toEqual(["approval answered"]);
    expect(bench.inbox.tasks("demo")).toMatchObject([{ state: "done" }]);
  });

  it("that was a prompt and left work is one item of its lane, kept up to date", async () => {
    const prompt = {
      spec: { ...job("x").spec, work: { kind: "prompt", prompt: "p", agent: "claude", session: "new" } },
    } as const;
    become("j6", { phase: "succeeded", attempt: 1, result }, prompt);
    sources.workLeft("j6", { commits: ["c1"], uncommitted: ["a", "b"] });
    become("j7", { phase: "succeeded", attempt: 1, result }, prompt);
    sources.workLeft("j7", { commits: ["c2"], uncommitted: [] });
    sources.workLeft("j7", { commits: [], uncommitted: [] });
    become("j8", { phase: "succeeded", attempt: 1, result });
    sources.workLeft("j8", { commits: ["c3"], uncommitted: [] });
    expect(await shown()).toEqual(["review open"]);
    expect(newest()).toMatchObject({
      title: "demo: 2 commits to review",
      jobId: "j7",
      data: { commits: ["c2", "c1"], files: [] },
    });
  });
});

describe("a lane", () => {
  it("whose drift is held waits for a person until the drift is gone", async () => {
    drift = [FIELD];
    touchLane();
    expect(await shown()).toEqual(["drift open"]);
    expect(newest()).toMatchObject({ title: "demo has drifted and is held: env.COLOR", choices: ["recreate"] });
    // A new daemon has not looked at it yet: nothing is known of its drift.
    die(() => {
      [drift, phase] = [[], { phase: "unknown" } as LaneState];
    });
    expect(await shown()).toEqual(["drift open"]);
    phase = ready;
    touchLane();
    expect(await shown()).toEqual(["drift done"]);
  });

  it("whose drift is not to be held is no item", async () => {
    [drift, policy] = [[FIELD], "when-idle"];
    touchLane();
    expect(await shown()).toEqual([]);
  });

  it("and its branch gone apart wait until they are together again", async () => {
    note = { diverged: { lane: "a", host: "b" }, held: null };
    touchLane();
    expect(await shown()).toEqual(["diverged open"]);
    note = null;
    touchLane();
    expect(await shown()).toEqual(["diverged open"]);
    note = { diverged: null, held: null };
    await bench.clock.advance(15_000);
    expect(await shown()).toEqual(["diverged done"]);
  });
});

describe("an agent", () => {
  const needed = () =>
    bench.store.feed.append({
      atMs: 1,
      type: "agent.login_needed",
      lane: "demo",
      job: "j1",
      data: { agent: "claude" },
    });

  it("that needs a login is one item until there is one", async () => {
    login = { kind: "missing", hint: "run claude /login" };
    needed();
    needed();
    expect(await shown()).toEqual(["login open"]);
    expect(newest()).toMatchObject({ title: "Claude Code needs a login", urgency: "high" });
    die(() => {});
    expect(await shown()).toEqual(["login open"]);
    login = USABLE;
    await bench.clock.advance(15_000);
    expect(await shown()).toEqual(["login done"]);
    needed();
    expect(await shown()).toEqual(["login done"]);
  });

  it("at its limit is an item that goes by itself", async () => {
    account = { kind: "limited", untilMs: bench.clock.nowMs() + 60_000, message: "5-hour limit" };
    become("j9", queued);
    expect(await shown()).toEqual(["limit open"]);
    await bench.clock.advance(75_000);
    expect(await shown()).toEqual(["limit done"]);
    expect(bench.clock.pending).toBe(0);
  });
});
