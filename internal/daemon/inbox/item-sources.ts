import type { Logger } from "pino";
import type { AccountState } from "../../agents/index.ts";
import { type Clock, hasCode, toError } from "../../base/index.ts";
import type { LoginState } from "../../credentials/index.ts";
import type { Inbox } from "../../inbox/index.ts";
import type { Job } from "../../job/index.ts";
import type { DriftField, Lane, LaneState } from "../../lane/index.ts";
import type { FeedEntry } from "../../store/index.ts";
import type { GitNote, JobWorkLeft } from "../git/git-desk.ts";
import { divergedItem, driftItem, limitItem, loginItem, reviewItem, unfinishedItem } from "./item-texts.ts";

/** What the daemon has to say to people, and when it is over. */
export interface ItemSources extends Disposable {
  /** Takes up the feed where the daemon before this one has left it, and looks at everything once. */
  start(): void;
  /** It is known now what the job has left in git. */
  workLeft(job: string, work: JobWorkLeft): void;
  /** Puts on record how far the feed has been read. @throws store.* */
  mark(): void;
}

/** A lane as it is looked at. */
export interface SeenLane {
  readonly lane: Lane;
  readonly state: LaneState;
  readonly drift: readonly DriftField[];
}

/** Where items come from. */
export interface ItemSourcesDeps {
  readonly inbox: Pick<Inbox, "raise" | "resolve" | "listWaiting" | "jobSucceeded" | "laneRemoved">;
  readonly feed: {
    readAfter(seq: number, limit: number): readonly FeedEntry[];
    latest(): number;
    subscribe(fn: (entry: FeedEntry) => void): () => void;
  };
  readonly marks: { findMark(name: string): number | null; putMark(name: string, seq: number): void };
  readonly findJob: (id: string) => Job | null;
  readonly lanes: () => readonly SeenLane[];
  readonly findLane: (id: string) => SeenLane | null;
  readonly noteOf: (laneId: string) => GitNote | null;
  readonly agents: readonly { readonly name: string; readonly title: string }[];
  readonly loginOf: (agent: string) => LoginState;
  readonly accountOf: (account: string) => AccountState;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How far the feed has been read. */
const MARK = "inbox.feed";
/** The mark is written once per so many entries: reading some of them again is harmless. */
const MARK_EVERY = 500;
const AT_ONCE = 200;
/** Jobs come first: nobody sees an item so much later. */
const READ_AFTER_MS = 25;
/** Entries after which something may have to be said. */
const MATTERS = /^(?:job\.(?:queued|succeeded|failed|cancelled|lost)|lane\..*|agent\.login_needed)$/;
/** Ends that the feed does not tell (a limit's time, a mended divergence) are looked for so often, while any is awaited. */
const LOOK_MS = 15_000;

/**
 * Reads the feed as a list of what to look at, and decides by what is true then: so nothing is missed that happened
 * while the daemon was away, and nothing is said twice.
 */
export function createItemSources(deps: ItemSourcesDeps): ItemSources {
  const { inbox, feed, log } = deps;
  let readTo = 0;
  let markedTo = 0;
  let isPlanned = false;
  let isOver = false;
  let cancelRead = () => {};
  let cancelLook = () => {};
  let unsubscribe = () => {};

  const lookAtJob = (id: string) => {
    const job = deps.findJob(id);
    const lane = job && deps.findLane(job.laneId)?.lane;
    if (job && lane && (job.state.phase === "failed" || job.state.phase === "lost")) {
      inbox.raise(unfinishedItem(job, job.state, lane));
    } else inbox.resolve(`failed:${id}`);
    if (job?.state.phase === "succeeded") inbox.jobSucceeded(id);
  };
  const lookAtLane = ({ lane, state, drift }: SeenLane) => {
    const isHeld = lane.settings.drift === "hold";
    if (isHeld && drift.length > 0) inbox.raise(driftItem(lane, drift));
    // Of a lane that is not running yet, nobody knows.
    else if (!isHeld || state.phase === "ready") inbox.resolve(`drift:${lane.id}`);
    const note = deps.noteOf(lane.id);
    if (note?.diverged) inbox.raise(divergedItem(lane, note.diverged));
    else if (note) inbox.resolve(`diverged:${lane.id}`);
  };
  const lookAtAgents = () => {
    const nowMs = deps.clock.nowMs();
    for (const agent of deps.agents) {
      const login = deps.loginOf(agent.name);
      if (login.kind !== "usable") continue;
      const account = deps.accountOf(login.login.account);
      if (account.kind !== "login_needed") inbox.resolve(`login:${agent.name}`);
      if (account.kind === "limited" && account.untilMs > nowMs) inbox.raise(limitItem(agent, account));
      else inbox.resolve(`limit:${agent.name}`);
    }
  };
  const lookAtLogin = ({ seq, data, lane, job }: FeedEntry) => {
    const agent = deps.agents.find(({ name }) => name === data.agent);
    if (!agent) return;
    const login = deps.loginOf(agent.name);
    const isNeeded = login.kind !== "usable" || deps.accountOf(login.login.account).kind === "login_needed";
    if (isNeeded) inbox.raise(loginItem(agent, login, { occurrence: String(seq), lane, job }));
  };
  const take = (entry: FeedEntry) => {
    const { type, lane, job } = entry;
    if (!MATTERS.test(type)) return;
    if (type === "lane.removed" && lane !== null) return inbox.laneRemoved(lane);
    if (type === "lane.merged" && lane !== null) inbox.resolve(`review:${lane}`);
    if (type === "agent.login_needed") return lookAtLogin(entry);
    if (job !== null) {
      lookAtJob(job);
      lookAtAgents();
    } else if (lane !== null) {
      const seen = deps.findLane(lane);
      if (seen) lookAtLane(seen);
    }
  };

  const safely = (op: string, fn: () => void) => {
    try {
      fn();
    } catch (caught) {
      log.error({ op, err: toError(caught) }, "inbox items could not be brought up to date; it is tried again");
    }
  };
  const read = () => {
    isPlanned = false;
    if (isOver) return;
    const entries = feed.readAfter(readTo, AT_ONCE);
    for (const entry of entries) {
      try {
        take(entry);
      } catch (caught) {
        // Read again once there is room.
        if (hasCode(caught, "store.full", "store.failed")) throw caught;
        log.error({ seq: entry.seq, err: toError(caught) }, "an entry of the feed cannot be looked at");
      }
      readTo = entry.seq;
    }
    if (readTo - markedTo >= MARK_EVERY) mark();
    if (entries.length === AT_ONCE) plan();
    planLook();
  };
  const mark = () => {
    if (readTo === markedTo) return;
    deps.marks.putMark(MARK, readTo);
    markedTo = readTo;
  };
  const plan = () => {
    if (isPlanned || isOver) return;
    isPlanned = true;
    // Never within the commit or the call that has made the entry.
    cancelRead = deps.clock.timer(READ_AFTER_MS, () => safely("read the feed", read));
  };
  const lookAtAll = () => {
    for (const seen of deps.lanes()) lookAtLane(seen);
    for (const { jobId } of inbox.listWaiting("failed:")) if (jobId !== null) lookAtJob(jobId);
    lookAtAgents();
  };
  const planLook = () => {
    cancelLook();
    const awaited = ["diverged:", "limit:", "login:"].some((subject) => inbox.listWaiting(subject).length > 0);
    if (!awaited || isOver) return;
    cancelLook = deps.clock.timer(LOOK_MS, () =>
      safely("look", () => {
        lookAtAll();
        planLook();
      }),
    );
  };

  return {
    start: () => {
      const known = deps.marks.findMark(MARK);
      readTo = markedTo = known ?? feed.latest();
      if (known === null) deps.marks.putMark(MARK, readTo);
      unsubscribe = feed.subscribe(({ type }) => {
        if (MATTERS.test(type)) plan();
      });
      safely("start", lookAtAll);
      plan();
    },
    workLeft: (id, work) => {
      const job = deps.findJob(id);
      const lane = job && deps.findLane(job.laneId)?.lane;
      if (!job || !lane || job.spec.work.kind !== "prompt" || job.state.phase !== "succeeded") return;
      const before = inbox.listWaiting(`review:${lane.id}`).find(({ laneId }) => laneId === lane.id);
      const item = reviewItem(job, lane, work, before?.data ?? {});
      if (item) safely("review", () => inbox.raise(item));
    },
    mark,
    [Symbol.dispose]: () => {
      isOver = true;
      unsubscribe();
      cancelRead();
      cancelLook();
      safely("mark", mark);
    },
  };
}
