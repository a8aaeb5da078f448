import type { Logger } from "pino";
import { AGENTS } from "../../agents/index.ts";
import { hasCode, systemClock, toError } from "../../base/index.ts";
import type { Dispatcher } from "../../dispatch/index.ts";
import { createInbox, type Inbox } from "../../inbox/index.ts";
import type { InboxItem, InboxTask } from "../../job/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { Store } from "../../store/index.ts";
import type { LaneView } from "../../supervisor/index.ts";
import type { CredentialDesk } from "../credentials/credential-desk.ts";
import type { GitDesk, JobWorkLeft } from "../git/git-desk.ts";
import type { AccountBook } from "../prompts/account-book.ts";
import { createItemSources } from "./item-sources.ts";
import { RECREATE, RETRY } from "./item-texts.ts";

/** The rest of the daemon, as the inbox needs it. All of it is there when {@link InboxDesk.start} is called. */
export interface InboxSurroundings {
  readonly dispatcher: Pick<Dispatcher, "onQuestionSettled" | "logWord" | "submit" | "retry">;
  readonly supervisor: {
    list(): readonly LaneView[];
    findLane(id: string): Lane | null;
    ensure(id: string, opts: { readonly waitMs: number }): Promise<unknown>;
    view(id: string): LaneView;
    recreate(id: string, opts: { readonly kind: "recreate"; readonly waitMs: number; readonly now: boolean }): unknown;
  };
  readonly gitDesk: Pick<GitDesk, "noteOf">;
  readonly desk: Pick<CredentialDesk, "loginOf">;
  readonly accounts: Pick<AccountBook, "stateOf">;
}

/** The inbox, with what the daemon says there and does by its answers. */
export interface InboxDesk extends Disposable {
  readonly inbox: Inbox;
  /** Call it once everything else is there. */
  start(): void;
  /** It is known now what a job has left in git. */
  workLeft(job: string, work: JobWorkLeft): void;
  /** Puts on record how far the daemon has seen to what happened. @throws store.* */
  mark(): void;
}

/** Builds it. `around` is called after the start only, or when a person or a lane calls. */
export function openInbox(deps: {
  readonly store: Store;
  readonly redact: (text: string) => string;
  readonly acceptTasks: "ask" | "auto";
  readonly around: () => InboxSurroundings;
  /** A person has said whether something may be done. */
  readonly onApproval: (item: InboxItem, choice: string) => void;
  readonly log: Logger;
}): InboxDesk {
  const { store, around, log } = deps;
  let isOver = false;
  const guarded =
    <A extends readonly unknown[]>(fn: (...args: A) => void) =>
    (...args: A) => {
      try {
        fn(...args);
      } catch (caught) {
        log.error({ err: toError(caught) }, "what follows from an answer failed");
      }
    };
  /** As a new job does: one that a person has queued by an answer starts its lane when that was stopped. */
  const wake = (jobId: string) => {
    // Within a commit, the job is not queued yet.
    setImmediate(
      guarded(() => {
        const job = isOver ? null : store.jobs.find(jobId);
        const lane = job && around().supervisor.findLane(job.laneId);
        if (job?.state.phase !== "queued" || lane?.desired !== "stopped") return;
        const ready = around().supervisor.ensure(lane.id, { waitMs: 0 });
        ready.catch((err: unknown) => log.warn({ lane: lane.id, err }, "lane not started for its job"));
      }),
    );
  };
  const queue = (task: InboxTask) => {
    try {
      const prompt = task.body === "" ? task.title : `${task.title}\n\n${task.body}`;
      const work = { kind: "prompt", prompt, agent: null, session: "new" } as const;
      const spec = { work, key: `task:${task.id}`, deadlineMs: null, priority: 0, retry: "never" } as const;
      const { job } = around().dispatcher.submit({ laneId: task.laneId, spec });
      inbox.startTask(task.id, job.id);
      wake(job.id);
      inbox.resolve(`start:${task.id}`);
    } catch (caught) {
      const err = toError(caught);
      log.warn(
        { lane: task.laneId, task: task.id, err },
        "an accepted task could not be queued; the next start tries again",
      );
      const about = { subject: `start:${task.id}`, occurrence: err.message, laneId: task.laneId, jobId: task.parent };
      inbox.raise({ ...about, kind: "failed", title: `task ${task.title} was not started`, body: err.message });
    }
  };
  const act = (item: InboxItem, choice: string) => {
    const { kind, laneId, jobId } = item;
    try {
      if (kind === "approval") deps.onApproval(item, choice);
      if (kind === "drift" && choice === RECREATE && laneId !== null) {
        const ended = around().supervisor.recreate(laneId, { kind: "recreate", waitMs: 0, now: false });
        Promise.resolve(ended).catch((err: unknown) => log.warn({ lane: laneId, err }, "lane not recreated"));
      }
      if ((kind === "failed" || kind === "lost") && choice === RETRY && jobId !== null) {
        around().dispatcher.retry(jobId);
        wake(jobId);
      }
    } catch (caught) {
      // Tried again by somebody else, or its lane is gone.
      if (!hasCode(caught, "request.invalid", "lane.not_found", "job.not_found")) throw caught;
      log.info({ lane: laneId, jobId, err: caught }, "an answer comes too late");
    }
  };
  const inbox = createInbox({
    store,
    clock: systemClock,
    log,
    redact: deps.redact,
    acceptTasks: deps.acceptTasks,
    resume: (job) => {
      around().dispatcher.onQuestionSettled(job);
      wake(job);
    },
    logWord: (job, attempt, word) => around().dispatcher.logWord(job, attempt, word),
    onAnswered: guarded(act),
    onAccepted: guarded(queue),
  });
  const sources = createItemSources({
    inbox,
    feed: store.feed,
    marks: store.laneCalls,
    findJob: (id) => store.jobs.find(id),
    lanes: () => around().supervisor.list(),
    findLane: (id) => (around().supervisor.findLane(id) ? around().supervisor.view(id) : null),
    noteOf: (laneId) => around().gitDesk.noteOf(laneId),
    agents: AGENTS.map(({ name, title }) => ({ name, title })),
    loginOf: (agent) => around().desk.loginOf(agent),
    accountOf: (account) => around().accounts.stateOf(account),
    clock: systemClock,
    log,
  });
  return {
    inbox,
    start: () => {
      inbox.start();
      for (const task of inbox.dueTasks()) queue(task);
      sources.start();
    },
    workLeft: sources.workLeft,
    mark: sources.mark,
    [Symbol.dispose]: () => {
      isOver = true;
      sources[Symbol.dispose]();
      inbox[Symbol.dispose]();
    },
  };
}
