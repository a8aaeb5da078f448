import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OPEN_ACCOUNT } from "../../agents/index.ts";
import { AppError } from "../../base/index.ts";
import { settle } from "../../base/testing.ts";
import type { Inbox } from "../../inbox/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { Store } from "../../store/index.ts";
import { active, filledStore, job, lane, type TempFolder, tempFolder } from "../../store/testing.ts";
import { type InboxDesk, openInbox } from "./inbox-desk.ts";

let folder: TempFolder;
let store: Store;
let desk: InboxDesk;
let inbox: Inbox;
let calls: string[];
let demo: Lane;
let refusal: Error | null;

function open(): void {
  const view = () => ({
    lane: demo,
    state: { phase: "ready" },
    drift: [],
    container: null,
    linked: true,
    credentials: null,
  });
  desk = openInbox({
    store,
    redact: (text) => text,
    acceptTasks: "ask",
    onApproval: (_, choice) => void calls.push(`approval ${choice}`),
    around: () => ({
      dispatcher: {
        onQuestionSettled: (id) => {
          calls.push(`settled ${id}`);
          store.jobs.save({ ...job(id), state: { phase: "queued", attempt: 1, waiting: null } });
        },
        logWord: (id, attempt, word) => {
          if (word.type === "report") calls.push(`log ${id}/${attempt} ${word.level} ${word.text}`);
        },
        submit: ({ laneId, spec }) => {
          if (refusal) throw refusal;
          calls.push(`submit ${laneId} ${spec.key} ${JSON.stringify(spec.work)}`);
          const made = { ...job("j9"), spec };
          store.jobs.insert(made);
          return { job: made, created: true };
        },
        retry: (id) => {
          if (refusal) throw refusal;
          calls.push(`retry ${id}`);
          return job(id);
        },
      },
      supervisor: {
        list: () => [view()],
        findLane: (id: string) => (id === "demo" ? demo : null),
        view,
        ensure: async (id: string) => void calls.push(`ensure ${id}`),
        recreate: async (id: string) => void calls.push(`recreate ${id}`),
      } as never,
      gitDesk: { noteOf: () => null },
      desk: { loginOf: () => ({ kind: "missing", hint: "" }) },
      accounts: { stateOf: () => OPEN_ACCOUNT },
    }),
    log: pino({ level: "silent" }),
  });
  ({ inbox } = desk);
  desk.start();
}

beforeEach(() => {
  [folder, calls, refusal] = [tempFolder(), [], null];
  demo = { ...lane("demo"), desired: "stopped" };
  store = filledStore(folder.path);
  store.jobs.insert(job("j1"));
  store.jobs.save(job("j1", { state: active("running") }));
  open();
});
afterEach(() => {
  desk[Symbol.dispose]();
  store.close();
  folder[Symbol.dispose]();
});

const call = <B>(body: B) => ({ laneId: "demo", job: { id: "j1", attempt: 1 }, key: null, body });
const accept = (title: string) => {
  const task = inbox.createTask(call({ title, body: "how" }));
  inbox.answer(inbox.list({ bucket: "open", limit: 1 })[0]?.id ?? "", "accept", "cli");
  return task;
};

describe("a task that was accepted", () => {
  it("is a prompt in its lane, under a key of its own, and starts the lane that was stopped", async () => {
    const task = accept("do it");
    await settle();
    expect(calls).toEqual([
      `submit demo task:${task.id} {"kind":"prompt","prompt":"do it\\n\\nhow","agent":null,"session":"new"}`,
      "approval accept",
      "ensure demo",
    ]);
    expect(inbox.tasks("demo")).toMatchObject([{ state: "accepted", job: "j9" }]);
  });

  it("but could not be queued is told, and is queued by the next start", () => {
    refusal = new AppError({ code: "usage.invalid", message: "no agent is installed" });
    const task = accept("do it");
    expect(inbox.list({ limit: 1 })).toMatchObject([
      { kind: "failed", title: "task do it was not started", body: "no agent is installed" },
    ]);
    refusal = null;
    desk[Symbol.dispose]();
    open();
    expect(calls.filter((line) => line.startsWith(`submit demo task:${task.id}`))).toHaveLength(1);
    expect(inbox.countOpen()).toBe(0);
    expect(inbox.dueTasks()).toEqual([]);
  });
});

describe("an answer", () => {
  const raise = (kind: "drift" | "failed", choice: string) => {
    inbox.raise({
      kind,
      subject: `${kind}:x`,
      occurrence: "1",
      laneId: "demo",
      jobId: "j1",
      title: "t",
      choices: [choice],
    });
    return inbox.list({ limit: 1 })[0]?.id ?? "";
  };

  it("to a question wakes its job, and the lane that was stopped", async () => {
    inbox.answer(inbox.ask(call({ question: "q" })).id, "a", "page");
    await settle();
    expect(calls).toEqual(["settled j1", "ensure demo"]);
    demo = { ...demo, desired: "up" };
    inbox.answer(inbox.ask(call({ question: "q" })).id, "a", "page");
    await settle();
    expect(calls.slice(2)).toEqual(["settled j1"]);
  });

  it("to what the system said is acted on; one that comes too late is no error", () => {
    inbox.answer(raise("drift", "recreate"), "recreate", "cli");
    inbox.answer(raise("failed", "retry"), "retry: it was the network", "cli");
    expect(calls).toEqual(["recreate demo", "retry j1"]);
    refusal = new AppError({ code: "request.invalid", message: "it is queued" });
    inbox.resolve("failed:x");
    inbox.raise({
      kind: "failed",
      subject: "failed:x",
      occurrence: "2",
      laneId: "demo",
      jobId: "j1",
      title: "t",
      choices: ["retry"],
    });
    expect(inbox.answer(inbox.list({ limit: 1 })[0]?.id ?? "", "retry", "cli").state.phase).toBe("answered");
  });
});

it("puts what is reported into the job's log, and ends itself with the daemon", async () => {
  inbox.report(call({ level: "info", body: "half way" }));
  expect(calls).toEqual(["log j1/1 info half way"]);
  inbox.answer(inbox.ask(call({ question: "q" })).id, "a", "page");
  desk[Symbol.dispose]();
  await settle();
  expect(calls).not.toContain("ensure demo");
});
