import { pino } from "pino";
import { createFakeClock, type FakeClock } from "../base/testing.ts";
import type { InboxItem, InboxTask, LaneWord } from "../job/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { active, filledStore, job, lane, snapshotOf, tempFolder } from "../store/testing.ts";
import type { LaneCall } from "./context.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import type { InboxDeps } from "./ports.ts";

/** An inbox over a real store and a fake clock, for tests only. Lanes `demo` and `other`, job `j1` running in `demo`. */
export interface InboxBench extends Disposable {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly inbox: Inbox;
  /** Jobs that were told that something is settled. */
  readonly resumed: string[];
  /** What went into the jobs' logs. */
  readonly words: LaneWord[];
  readonly answered: (readonly [kind: string, choice: string])[];
  readonly accepted: InboxTask[];
  /** The process dies now, and another one opens what it has left. */
  kill(): void;
  call<B>(body: B, more?: Partial<LaneCall<B>>): LaneCall<B>;
  ask(question: string, more?: Partial<Parameters<Inbox["ask"]>[0]["body"]>): InboxItem;
}

/** Opens the bench. */
export function openInboxBench(more: Partial<InboxDeps> = {}): InboxBench {
  const folder = tempFolder();
  const clock = createFakeClock();
  let store = filledStore(folder.path, { nowMs: clock.nowMs });
  store.lanes.insertLane({ ...lane("other") });
  store.jobs.insert(job("j1"));
  store.jobs.save(job("j1", { state: active("running") }));
  const [resumed, words, answered, accepted] = [[], [], [], []] as [
    string[],
    LaneWord[],
    [string, string][],
    InboxTask[],
  ];
  const open = () =>
    createInbox({
      store,
      clock,
      log: pino({ level: "silent" }),
      redact: (text) => text.replaceAll("hunter2hunter2", "[redacted]"),
      acceptTasks: "ask",
      resume: (id) => void resumed.push(id),
      logWord: (_job, _attempt, word) => void words.push(word),
      onAnswered: ({ kind }, choice) => void answered.push([kind, choice]),
      onAccepted: (task) => void accepted.push(task),
      ...more,
    });
  let inbox = open();
  const call: InboxBench["call"] = (body, over = {}) => ({
    laneId: "demo",
    job: { id: "j1", attempt: 1 },
    key: null,
    body,
    ...over,
  });
  return {
    clock,
    get store() {
      return store;
    },
    get inbox() {
      return inbox;
    },
    resumed,
    words,
    answered,
    accepted,
    kill: () => {
      inbox[Symbol.dispose]();
      const path = snapshotOf(store, folder.path);
      store.close();
      store = openStore({ path, nowMs: clock.nowMs });
      inbox = open();
    },
    call,
    ask: (question, body = {}) => inbox.ask(call({ question, ...body })),
    [Symbol.dispose]: () => {
      inbox[Symbol.dispose]();
      store.close();
      folder[Symbol.dispose]();
    },
  };
}

/** Thrown by `fn`. */
export function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (caught) {
    return caught;
  }
  return null;
}
