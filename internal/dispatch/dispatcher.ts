import { TaskGroup } from "../base/index.ts";
import type { Job, JobLogEvent, JobSpec, LaneWord, WorkerEvent } from "../job/index.ts";
import type { HeartbeatReport } from "../protocol/index.ts";
import { questionSettled, wakeAnswered } from "./answers.ts";
import { attachLink, detachLink } from "./attach.ts";
import { cancel, findJob, retry, type Submitted, setWaiting, submit, withdraw } from "./commands.ts";
import type { DispatchContext, DispatcherDeps, JobProgress } from "./context.ts";
import { fileFailure, mendFiles } from "./file-attempts.ts";
import { follow, waitJob } from "./follow.ts";
import { createIngest } from "./ingest.ts";
import { createJobWriter } from "./job-writer.ts";
import { type LaneDeath, laneDied, laneRemoved } from "./lane-end.ts";
import { attemptKey, createLaneSlots } from "./lane-slot.ts";
import { mustFind } from "./must-find.ts";
import { READ_EVENTS_MAX } from "./policy.ts";
import type { CallOptions, LaneLink } from "./ports.ts";
import { createPump, type Wait } from "./pump.ts";
import { createWakeHub } from "./wake-hub.ts";
import { createWatch } from "./watch.ts";

/**
 * The queue of every lane: commits jobs, starts one at a time per lane, stores what the worker says, and knows at each
 * moment what to do next from the store and the worker's word alone, so that it may end at any line. At most one start
 * per attempt; nothing acknowledged is lost; what nobody can know is `lost`, never silently run again.
 */
export interface Dispatcher extends AsyncDisposable {
  /** On the disk before it returns. @throws usage.invalid, request.key_conflict, lane.not_found */
  submit(opts: { readonly laneId: string; readonly spec: JobSpec }): Submitted;
  /** @throws job.not_found */
  cancel(id: string): Job;
  /** @throws job.not_found, job.started */
  withdraw(id: string): Job;
  /** @throws job.not_found, request.invalid, lane.not_found */
  retry(id: string): Job;
  /** By id or unique prefix. @throws job.not_found, usage.invalid */
  findJob(idOrPrefix: string): Job;
  /** Newest first. */
  listJobs(opts: {
    readonly laneId?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): readonly Job[];
  /** Events after `after`, at most `limit` and at most {@link READ_EVENTS_MAX}. @throws job.not_found */
  readEvents(id: string, opts: { readonly after: number; readonly limit: number }): readonly JobLogEvent[];
  /** See `follow`: ends by itself when the job has ended. */
  follow(id: string, opts: CallOptions & { readonly after: number }): AsyncGenerator<JobLogEvent, void, undefined>;
  /** Resolves once the job has ended. @throws job.not_found, timeout */
  waitJob(id: string, opts: CallOptions & { readonly timeoutMs?: number | undefined }): Promise<Job>;

  /**
   * What is on record of the lane's attempts, as the link's `resume` frame says it: `<job>/<attempt>` to seq. For the
   * opening of a link only: what the worker is told here is held against what it reported when the link is attached.
   */
  getAcked(laneId: string): Readonly<Record<string, number>>;
  /** A link has been opened; call it for each, before or after its first events. @throws worker.protocol, store.* */
  attachLink(link: LaneLink): void;
  /** A frame of events. Never throws: what cannot be stored is not acknowledged. */
  onEvents(laneId: string, generation: number, job: string, attempt: number, events: readonly WorkerEvent[]): void;
  /** A heartbeat of the lane's worker, with what it has measured of its attempts. Never throws. */
  onHeartbeat(laneId: string, generation: number, beats: readonly HeartbeatReport[]): void;
  /** The link has closed; with `link`, only if it is still that one. Says nothing about any job. Never throws. */
  detachLink(laneId: string, link?: LaneLink): void;
  /** The container is proven dead, not merely silent. May be repeated. */
  onLaneDead(death: LaneDeath): void;
  /** The lane is removed for good: its jobs end. Before the lane is deleted from the store. */
  onLaneRemoved(laneId: string): void;
  /** Draining: the running job goes on, nothing new is started. `reason` is shown on what waits. Never throws. */
  pause(laneId: string, reason: string): void;
  /** Jobs are started again; nothing but their turn keeps them waiting. Never throws. */
  resume(laneId: string): void;
  /** Why queued jobs wait (`lane is stopped`), null for just their turn. Cheap when nothing changed. Never throws. */
  setWaiting(laneId: string, reason: string | null): void;
  /** What a queued job waits for when its lane could begin it now: room, or its account. Never stored. */
  waitingOf(job: Job): Wait | null;
  /**
   * A question of the job was answered, has expired or was put away: queues it again if it waits for nothing else. Within
   * the commit of that, or after it; for any job, as often as you like. @throws store.*
   */
  onQuestionSettled(id: string): void;
  /** Adds to a job's log what its agent reported or asked. Within the commit of that. @throws job.not_found, store.* */
  logWord(id: string, attempt: number, word: LaneWord): void;
  /** What holds jobs may have changed: looks again at those that wait. Never throws. */
  readmit(): void;
  /** How far a job is known to have come; null for one that does not run. Never stored. */
  progressOf(job: Job): JobProgress | null;
  /** How many jobs have made no progress for long. */
  countStuck(): number;
  /** Does a job occupy the lane? */
  busy(laneId: string): boolean;
  /** How many jobs wait. */
  queued(laneId: string): number;
}

/** Makes the dispatcher and records that no active job is in reach yet. @throws store.* */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { store, clock, log } = deps;
  const { jobs } = store;
  const hub = createWakeHub();
  const tasks = new TaskGroup((name, err) => log.error({ op: name, err }, "dispatch task failed"));
  const slots = createLaneSlots();
  const onFailed = (job: Job, generation: number) => fileFailure(deps, job, generation);
  const onLane = (laneId: string) => {
    watch.wake();
    deps.onActivity(laneId);
  };
  const onEnd = (job: string) => deps.questions?.close(job);
  const writer = createJobWriter({ store, clock, log, onEnd, onJob: hub.wake, onLane, onFailed });
  const ingest = createIngest(() => ctx);
  const pump = createPump(() => ctx);
  const watch = createWatch(() => ctx);
  const ctx: DispatchContext = {
    ...deps,
    writer,
    slots,
    tasks,
    watch,
    pump: pump.pump,
    readmit: pump.readmit,
    flush: ingest.flush,
  };
  writer.commit(() => {
    for (const job of jobs.listActive(null)) writer.apply(job, { type: "unreachable" });
    // What was answered when the process before this one ended.
    for (const job of jobs.listAwaiting(null)) wakeAnswered(ctx, job);
  });
  mendFiles(deps);
  if (jobs.listActive(null).length > 0) watch.wake();
  const following = { store, hub, clock };

  return {
    submit: (opts) => submit(ctx, opts),
    cancel: (id) => cancel(ctx, id),
    withdraw: (id) => withdraw(ctx, id),
    retry: (id) => retry(ctx, id),
    findJob: (text) => findJob(ctx, text),
    listJobs: (opts) => jobs.list(opts),
    readEvents: (id, { after, limit }) => {
      mustFind(store, id);
      return jobs.readEvents(id, { after, limit: Math.min(limit, READ_EVENTS_MAX) });
    },
    follow: (id, opts) => follow(following, id, opts),
    waitJob: (id, opts) => waitJob(following, id, opts),
    getAcked: (laneId) => {
      ingest.flush();
      const told = ackedOf(ctx, laneId);
      slots.of(laneId).told = told;
      return Object.fromEntries(told);
    },
    attachLink: (link) => attachLink(ctx, link),
    onEvents: (laneId, generation, job, attempt, events) => ingest.push({ laneId, generation, job, attempt, events }),
    onHeartbeat: watch.onHeartbeat,
    progressOf: watch.progressOf,
    countStuck: watch.countStuck,
    detachLink: (laneId, link) => detachLink(ctx, laneId, link),
    onLaneDead: (death) => laneDied(ctx, death),
    onLaneRemoved: (laneId) => laneRemoved(ctx, laneId),
    pause: (laneId, reason) => {
      slots.of(laneId).paused = true;
      setWaiting(ctx, laneId, reason);
    },
    resume: (laneId) => {
      slots.of(laneId).paused = false;
      setWaiting(ctx, laneId, null);
      ctx.pump(laneId);
    },
    setWaiting: (laneId, reason) => setWaiting(ctx, laneId, reason),
    waitingOf: pump.waitingOf,
    onQuestionSettled: (id) => questionSettled(ctx, id),
    logWord: (id, attempt, word) =>
      writer.commit(() => {
        jobs.appendHostEvent(id, attempt, clock.nowMs(), word);
        writer.touch(id);
      }),
    readmit: pump.readmit,
    busy: (laneId) => jobs.hasActive(laneId),
    queued: (laneId) => jobs.countQueued(laneId),
    [Symbol.asyncDispose]: async () => {
      pump.close();
      watch.close();
      ingest.flush();
      for (const slot of slots.all()) {
        detachLink(ctx, slot.laneId);
        slots.delete(slot.laneId);
      }
      await tasks.close();
    },
  };
}

/** The latest attempts, and in any case the active ones: a worker numbers an interrupted one's end after ours. */
function ackedOf(ctx: DispatchContext, laneId: string): ReadonlyMap<string, number> {
  const { jobs } = ctx.store;
  const told = new Map<string, number>();
  for (const row of jobs.listAcked(laneId, ctx.policy.ackedAttemptsMax)) {
    told.set(attemptKey(row.job, row.attempt), row.lastSeq);
  }
  for (const { id, state } of jobs.listActive(laneId)) {
    const record = jobs.findAttempt(id, state.attempt);
    if (record && record.lastSeq > 0) told.set(attemptKey(id, state.attempt), record.lastSeq);
  }
  return told;
}
