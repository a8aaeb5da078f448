import type { Logger } from "pino";
import { AppError, type Clock, TaskGroup, toAppError, waitAtMost } from "../../base/index.ts";
import { type HardenedGit, pushBranch } from "../../git/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { ApiLane } from "../../protocol/index.ts";
import type { Feed, FeedEntry } from "../../store/index.ts";
import type { GitDesk } from "./git-desk.ts";

/** What the desk works with. */
export interface PushDeskDeps {
  readonly git: HardenedGit;
  readonly gitDesk: Pick<GitDesk, "settle" | "noteOf">;
  readonly findLane: (id: string) => Lane | null;
  /** The git dir of a lane's repository. */
  readonly gitDirOf: (lane: Lane) => Promise<string>;
  readonly feed: Pick<Feed, "append" | "subscribe" | "lastOf">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How a lane's last push ended; null without one. */
export type PushNote = NonNullable<NonNullable<ApiLane["git"]>["push"]>;

/** Pushes lanes' branches after jobs that succeeded. */
export interface PushDesk extends AsyncDisposable {
  noteOf(laneId: string): PushNote | null;
  /** Waits until a push that is due or under way has ended, well or not, at most `waitMs`. Never rejects. */
  settle(lane: Lane, opts: { readonly waitMs: number; readonly signal?: AbortSignal | undefined }): Promise<void>;
}

/** The job's commits are taken over first; the git desk's own limit is shorter. */
const SETTLE_MS = 15 * 60_000;
/** So far back the last push is looked for after a restart. */
const LOOK_BACK = 200;

/**
 * Pushes a lane's branch once the commits of its job are here, where the lane's settings say so. What failed is told in
 * the feed and tried again after the next job that succeeds; nothing is ever forced.
 */
export function createPushDesk(deps: PushDeskDeps): PushDesk {
  const { git, gitDesk, feed, clock, log } = deps;
  const over = new AbortController();
  const tasks = new TaskGroup((name, err) => log.error({ op: name, err }, "push failed"));
  /** By lane: its pushes, one after the other. */
  const last = new Map<string, Promise<void>>();
  const tell = (lane: Lane, job: string | null, note: Omit<PushNote, "at">) => {
    const { ok, remote, tip, message } = note;
    const data = { name: lane.name, branch: lane.branch, remote, tip, ...(ok ? {} : { message }) };
    feed.append({ atMs: clock.nowMs(), type: ok ? "lane.pushed" : "lane.push_failed", lane: lane.id, job, data });
  };
  const push = async (lane: Lane, job: string | null): Promise<void> => {
    const { signal } = over;
    try {
      await gitDesk.settle(lane, { waitMs: SETTLE_MS, signal });
      if (signal.aborted) return;
      const { diverged = null, held = null } = gitDesk.noteOf(lane.id) ?? {};
      const why = diverged === null ? held : "lane and host have gone apart";
      if (why !== null) {
        tell(lane, job, { ok: false, remote: null, tip: null, message: `its commits are not all here: ${why}` });
        return;
      }
      const done = await pushBranch(git, { gitDir: await deps.gitDirOf(lane), branch: lane.branch, signal });
      if (done.kind === "pushed") tell(lane, job, { ...done, ok: true, message: null });
      if (done.kind === "refused") tell(lane, job, { ...done, ok: false, message: done.why });
    } catch (caught) {
      if (signal.aborted) return;
      const error = toAppError(caught);
      log.warn({ lane: lane.id, err: error }, "lane not pushed; it is tried again after its next job");
      tell(lane, job, { ok: false, remote: null, tip: null, message: error.message });
    }
  };
  const stopListening = feed.subscribe((entry) => {
    const lane = entry.type === "job.succeeded" && entry.lane !== null ? deps.findLane(entry.lane) : null;
    if (lane?.settings.onSuccess !== "push") return;
    const before = last.get(lane.id) ?? Promise.resolve();
    const mine = before.then(() => push(lane, entry.job));
    last.set(lane.id, mine);
    tasks.run(`push ${lane.id}`, () => mine.finally(() => last.get(lane.id) === mine && last.delete(lane.id)));
  });
  return {
    noteOf: (laneId) => {
      const entry = feed.lastOf(laneId, LOOK_BACK).findLast(({ type }) => PUSHES.has(type));
      return entry === undefined ? null : toNote(entry);
    },
    settle: async (lane, { waitMs, signal }) => {
      const running = last.get(lane.id);
      if (running !== undefined) await waitAtMost(running, { waitMs, clock, signal });
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      over.abort(new AppError({ code: "daemon.stopping", message: "the daemon is stopping" }));
      await tasks.close();
    },
  };
}

const PUSHES: ReadonlySet<string> = new Set(["lane.pushed", "lane.push_failed"]);

/** Our own entries: their shape is known. */
function toNote({ type, atMs, data }: FeedEntry): PushNote {
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  return {
    at: new Date(atMs).toISOString(),
    ok: type === "lane.pushed",
    remote: text(data.remote),
    tip: text(data.tip),
    message: text(data.message),
  };
}
