import { spawnSync } from "node:child_process";
import { pino } from "pino";
import { beforeEach, describe, expect, it } from "vitest";
import type { QuestionOutcome } from "../../agents/index.ts";
import { AppError, type Clock, systemClock } from "../../base/index.ts";
import type { LoginState } from "../../credentials/index.ts";
import { createCommandResolver, type WorkResolver } from "../../dispatch/index.ts";
import type { Job, JobResult, JobSpec } from "../../job/index.ts";
import { type AccountBook, openAccountBook } from "./account-book.ts";
import { createPromptResolver, type PromptDeps } from "./prompt-work.ts";

const KEY = "canary-key-77";
const PROGRAM = "/opt/agents/claude/claude";
let nowMs: number;
let login: LoginState;
let preferred: string | null;
let installed: string[];
let program: string | null;
let guide: () => string;
let failures: unknown[];
let sessions: Record<string, string>;
let lastSession: string | null;
let stored: Map<string, string>;
let outcomes: QuestionOutcome[];
let book: AccountBook;
let work: WorkResolver;

const usable = (account = "acc-1"): LoginState => ({
  kind: "usable",
  login: {
    name: "api-key",
    source: "ANTHROPIC_API_KEY",
    account,
    revision: "r1",
    env: { ANTHROPIC_API_KEY: KEY },
    file: null,
    expiresAtMs: null,
    endsAtMs: null,
    rotates: false,
  },
});

beforeEach(() => {
  [nowMs, login, preferred, installed, program] = [1_000_000, usable(), null, ["claude"], PROGRAM];
  guide = () => "/run/lane/guide";
  [failures, sessions, lastSession, stored, outcomes] = [[], {}, null, new Map(), []];
  open();
});

function open(): void {
  const clock: Clock = { ...systemClock, nowMs: () => nowMs };
  book = openAccountBook({
    records: {
      put: (key, state) => void stored.set(key, state),
      remove: (key) => void stored.delete(key),
      list: () => [...stored].map(([key, state]) => ({ key, state })),
    },
    clock,
    log: pino({ level: "silent" }),
    onChange: () => {},
  });
  const deps: PromptDeps = {
    commands: createCommandResolver({ outputCapBytes: 1000 }),
    nowMs: clock.nowMs,
    outputCapBytes: 1000,
    installed: () => installed,
    programOf: () => program,
    extrasOf: () => ({ args: ["--more"], env: { ANTHROPIC_BASE_URL: "http://gateway" } }),
    loginOf: () => login,
    guide: async () => guide(),
    preferred: () => preferred,
    agentUid: () => 0,
    sessions: { findSession: (job) => sessions[job] ?? null, findLastSession: () => lastSession },
    outcomesOf: (job) => (job.state.attempt > 1 ? outcomes : []),
    accounts: book,
    onLoginFailed: (...failure) => failures.push(failure),
  };
  work = createPromptResolver(deps);
}

const spec = (more: Partial<Extract<JobSpec["work"], { kind: "prompt" }>> = {}): JobSpec => ({
  work: { kind: "prompt", prompt: "do it", agent: null, session: "", ...more },
  key: null,
  deadlineMs: null,
  priority: 0,
  retry: "never",
});
const job = (attempt = 1, more: Parameters<typeof spec>[0] = { agent: "claude", session: "new" }): Job => ({
  id: "job1",
  laneId: "lane",
  spec: spec(more),
  bodyHash: "",
  state: { phase: "queued", attempt, waiting: null },
  createdAtMs: 1,
  startedAtMs: null,
  endedAtMs: null,
});
const ended = (facts: { httpStatus?: number; code?: string; resetsAtMs?: number } | null): JobResult => ({
  exitCode: facts ? 1 : 0,
  signal: null,
  stderrTail: "",
  truncated: false,
  agent: {
    session: "s",
    text: "t",
    usage: null,
    final: { ok: facts === null, facts: { message: "m", httpStatus: null, code: null, resetsAtMs: null, ...facts } },
  },
});
const codeOf = (fn: () => unknown): unknown => {
  try {
    fn();
    return null;
  } catch (caught) {
    return caught instanceof AppError ? caught.code : caught;
  }
};

describe("the agent of a prompt", () => {
  const agentOf = (more: Parameters<typeof spec>[0] = {}) => {
    const settled = work.settle(spec(more), "lane").work;
    return settled.kind === "prompt" ? [settled.agent, settled.session] : null;
  };

  it("is its own, else the one preferred there, else the only one there is", () => {
    expect(agentOf()).toEqual(["claude", "new"]);
    preferred = "shell";
    expect(agentOf()).toEqual(["shell", "new"]);
    expect(agentOf({ agent: "claude", session: "continue" })).toEqual(["claude", "continue"]);
  });

  it("must be known, installed, and not a guess among several", () => {
    installed = ["claude", "codex"];
    expect(codeOf(() => agentOf())).toBe("usage.invalid");
    expect(codeOf(() => agentOf({ agent: "gemini" }))).toBe("usage.invalid");
    expect(codeOf(() => agentOf({ agent: "cluade" }))).toBe("agent.not_found");
    expect(codeOf(() => agentOf({ session: "--evil" }))).toBe("usage.invalid");
  });
});

describe("its process", () => {
  it("has the prompt on stdin and the key in its environment, neither in its arguments", async () => {
    const start = await work.resolve(job(), {});
    expect(start).toMatchObject({ stdin: "do it", agent: "claude", env: { ANTHROPIC_API_KEY: KEY, IS_SANDBOX: "1" } });
    expect(start.argv[0]).toBe(PROGRAM);
    expect(start.argv).toContain("--more");
    expect(start.argv.join(" ")).not.toMatch(new RegExp(`${KEY}|do it`));
  });

  it("is told where its guide is, and not started without it", async () => {
    const { argv } = await work.resolve(job(), {});
    expect(argv.join(" ")).toContain("--add-dir /run/lane/guide --");
    guide = () => {
      throw new AppError({ code: "config.invalid", message: "too long" });
    };
    await expect(work.resolve(job(), {})).rejects.toMatchObject({ code: "config.invalid" });
    await expect(work.resolve(job(1, { agent: "shell", session: "new" }), {})).resolves.toBeDefined();
  });

  it("begins a session whose id is the attempt's own, or goes on with the one that is meant", async () => {
    const argvOf = async (one: Job) => (await work.resolve(one, {})).argv.join(" ");
    const first = await argvOf(job());
    expect(first).toMatch(/--session-id [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}/);
    expect(await argvOf(job())).toBe(first);
    expect(await argvOf(job(2))).not.toBe(first);
    lastSession = "last-1";
    expect(await argvOf(job(1, { agent: "claude", session: "continue" }))).toContain("--resume last-1");
    expect(await argvOf(job(1, { agent: "claude", session: "mine-1" }))).toContain("--resume mine-1");
    sessions = { job1: "own-1" };
    expect(await argvOf(job(2))).toContain("--resume own-1");
  });
});

describe("its process, once what it asked is settled,", () => {
  const stdinOf = async (more: Parameters<typeof spec>[0]) => (await work.resolve(job(2, more), {})).stdin;
  const claude = { agent: "claude", session: "new" };
  beforeEach(() => {
    outcomes = [{ question: "Which one?", answer: "the 'left' one", by: "person" }];
  });

  it("is told the outcome alone in its session", async () => {
    sessions = { job1: "own-1" };
    expect(await stdinOf(claude)).toBe("You asked: Which one?\nThe answer (by a person): the 'left' one");
    outcomes = [
      { question: "A?", answer: "d", by: "default" },
      { question: "B?", answer: null, by: "nobody" },
      { question: "C?", answer: null, by: "person" },
    ];
    const told = await stdinOf(claude);
    expect((told ?? "").split("\n\n")).toEqual([
      "You asked: A?\nNobody answered in time, so your own default counts: d",
      expect.stringMatching(/^You asked: B\?\nNobody answered in time: /),
      expect.stringMatching(/^You asked: C\?\nIt was put away without an answer: /),
    ]);
  });

  it("is told all again where it has no session", async () => {
    expect(await stdinOf(claude)).toBe("do it\n\nYou asked: Which one?\nThe answer (by a person): the 'left' one");
  });

  it("has the newest in variables when it is a script", async () => {
    const script = await stdinOf({
      agent: "shell",
      session: "new",
      prompt: 'printf "%s" "$INBOX_QUESTION $INBOX_ANSWER"',
    });
    const { stdout } = spawnSync("sh", { input: script ?? "", encoding: "utf8" });
    expect(stdout).toBe("Which one? the 'left' one");
  });
});

describe("its account", () => {
  it("at the limit holds all jobs until the reset, also after a restart, and the job is queued again", () => {
    const verdict = work.judge(job(), ended({ httpStatus: 429, code: "rate_limit", resetsAtMs: nowMs + 60_000 }));
    expect(verdict).toMatchObject({
      error: { code: "agent.limit" },
      again: expect.stringContaining("after its reset"),
    });
    for (const life of [1, 2]) {
      if (life === 2) open();
      expect(work.holdOf(job())).toMatchObject({ reason: "limit", untilMs: nowMs + 62_000 });
    }
    nowMs += 62_000;
    expect(work.holdOf(job())).toBeNull();
  });

  it("of another credential is not held", () => {
    work.judge(job(), ended({ httpStatus: 429, code: "rate_limit" }));
    login = usable("acc-2");
    expect(work.holdOf(job())).toBeNull();
  });

  it("is spared after an overload, which ends the job", () => {
    expect(work.judge(job(), ended({ httpStatus: 529 }))).toMatchObject({
      error: { code: "agent.overload" },
      again: null,
    });
    expect(work.holdOf(job())).toMatchObject({ reason: "backoff", untilMs: nowMs + 30_000 });
  });

  it("without a valid login holds all jobs until somebody has seen to it", () => {
    expect(work.judge(job(), ended({ httpStatus: 401 }))).toMatchObject({
      error: { code: "agent.login" },
      again: null,
    });
    expect(failures).toMatchObject([[{ id: "job1" }, "claude", "acc-1"]]);
    expect(work.holdOf(job())).toMatchObject({ reason: "login", untilMs: null });
    book.renew("acc-1");
    expect(work.holdOf(job())).toBeNull();
    expect(stored.size).toBe(0);
  });

  it("that is not there at all holds them too, and says what to do", () => {
    login = { kind: "missing", hint: "run `claude` and log in" };
    expect(work.holdOf(job())).toMatchObject({ reason: "login", detail: expect.stringContaining("log in") });
    login = {
      kind: "refused",
      source: "f",
      error: new AppError({ code: "credentials.failed", message: "it is empty" }),
      last: null,
    };
    expect(work.holdOf(job())).toMatchObject({ reason: "login", detail: "it is empty" });
  });

  it("says nothing of work that succeeded, of commands, and of an agent that needs none", () => {
    expect(work.judge(job(), ended(null))).toEqual({ error: null, again: null });
    login = { kind: "missing", hint: "" };
    expect(work.holdOf(job(1, { agent: "shell", session: "new" }))).toBeNull();
    const command: Job = { ...job(), spec: { ...spec(), work: { kind: "command", argv: ["x"] } } };
    expect([work.holdOf(command), work.judge(command, { ...ended(null), agent: undefined })]).toEqual([null, null]);
  });
});

it("waits for a container that has its agent", () => {
  program = null;
  expect(work.holdOf(job())).toMatchObject({ reason: "agent", untilMs: null });
});
