import { type AppError, type Clock, hasCode } from "../base/index.ts";
import type { ApiJob, ApiJobEvent } from "../protocol/index.ts";
import type { Api } from "./api.ts";
import { isEnded } from "./outcome.ts";

/** How long a daemon may be away while someone waits for a job. */
const AWAY_BUDGET_MS = 60_000;
/** Between tries to reach it, and between looks at a job whose stream ended early. */
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1000;

/** What a follower says while the daemon is away. */
export interface FollowHooks {
  readonly onAway: (error: AppError) => void;
  readonly onBack: () => void;
}

/**
 * Events of a job from `after` on, each once and in order, until the job has ended or, unless `through` is set, waits for
 * an answer; returns the job as it is then. A daemon that restarts meanwhile is waited for, and the stream goes on where
 * it broke off.
 * @throws daemon.unreachable when it stays away for a minute, cancelled, job.not_found
 */
export async function* followJob(
  api: Api,
  id: string,
  opts: {
    readonly after: number;
    readonly through?: boolean | undefined;
    readonly signal: AbortSignal;
    readonly clock: Clock;
  } & FollowHooks,
): AsyncGenerator<ApiJobEvent, ApiJob> {
  const { signal, clock } = opts;
  const at: Place = { last: opts.after, paused: null };
  const link = trackLink(opts);
  for (;;) {
    try {
      const { news, final } = at.paused === null ? yield* readStream(api, id, { ...opts, at, link }) : NOTHING;
      const job = await api.showJob(id, { signal });
      link.isBack();
      if (isWaitingAt(job, at.paused)) return job;
      if (at.paused !== null) {
        // What it waited for is answered by now.
        at.paused = null;
        continue;
      }
      // A daemon that stops ends its streams too: only the last event, or nothing left to send, means the end.
      if (isEnded(job.state) && (final || !news)) return job;
      // A job that was queued again after it was lost keeps its log: look again, not at once.
      if (!news) await clock.sleep(RETRY_MAX_MS, { signal });
    } catch (caught) {
      if (!hasCode(caught, "daemon.unreachable", "daemon.stopping", "timeout")) throw caught;
      await clock.sleep(link.isAway(caught), { signal });
    }
  }
}

/** How far a follower has come. */
interface Place {
  last: number;
  /** The attempt that waited for an answer as the last event tells; its stream says nothing more until there is one. */
  paused: number | null;
}

const NOTHING = { news: false, final: false };

/** One stream's events, until it ends or tells that the job waits for an answer. */
async function* readStream(
  api: Api,
  id: string,
  opts: {
    readonly at: Place;
    readonly through?: boolean | undefined;
    readonly signal: AbortSignal;
    readonly link: { isBack(): void };
  },
): AsyncGenerator<ApiJobEvent, typeof NOTHING> {
  const { at } = opts;
  let [news, final] = [false, false];
  for await (const event of api.followJobEvents(id, { after: at.last, signal: opts.signal })) {
    opts.link.isBack();
    if (event.seq <= at.last) continue;
    at.last = event.seq;
    news = true;
    final = isFinal(event);
    if (!opts.through && isPause(event)) at.paused = event.attempt;
    yield event;
    if (at.paused !== null) break;
  }
  return { news, final };
}

function isWaitingAt({ state, attempt }: ApiJob, paused: number | null): boolean {
  return state === "awaiting_answer" && attempt === paused;
}

/**
 * Repeats a call while the daemon is away, within the same bounds. `fn` must be safe to repeat.
 * @param opts.wasThere false where nobody has heard of the daemon yet: one that cannot be reached is not waited for
 * @throws what `fn` throws last
 */
export async function throughRestarts<T>(
  opts: { readonly signal: AbortSignal; readonly clock: Clock; readonly wasThere: boolean } & FollowHooks,
  fn: () => Promise<T>,
): Promise<T> {
  const link = trackLink(opts);
  for (let { wasThere } = opts; ; wasThere = true) {
    try {
      const value = await fn();
      link.isBack();
      return value;
    } catch (caught) {
      if (!hasCode(caught, "daemon.unreachable", "daemon.stopping")) throw caught;
      if (!wasThere && caught.details.sent === false) throw caught;
      await opts.clock.sleep(link.isAway(caught), { signal: opts.signal });
    }
  }
}

/** Knows since when the daemon is away, and how long to wait before the next try. */
export function trackLink({ clock, onAway, onBack }: { readonly clock: Clock } & FollowHooks) {
  let away: { readonly sinceMs: number; readonly tries: number } | null = null;
  return {
    isBack(): void {
      if (away !== null) onBack();
      away = null;
    },
    /** Resolves to the pause before the next try. @throws the error itself when it has been away for too long */
    isAway(error: AppError): number {
      const nowMs = clock.monotonicMs();
      if (away === null) onAway(error);
      away = { sinceMs: away?.sinceMs ?? nowMs, tries: (away?.tries ?? 0) + 1 };
      if (nowMs - away.sinceMs > AWAY_BUDGET_MS) throw error;
      return Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (away.tries - 1));
    },
  };
}

function isPause(event: ApiJobEvent): boolean {
  return event.type === "state" && event.phase === "awaiting_answer";
}

function isFinal(event: ApiJobEvent): boolean {
  return event.type === "state" && typeof event.phase === "string" && isEnded(event.phase);
}
