import { faultPoint } from "../../base/index.ts";
import { LINK_BACKPRESSURE_BYTES, LINK_EVENTS_PER_FRAME } from "../../protocol/link-terms.ts";
import type { AttemptLog } from "../spool/index.ts";
import type { HostLink } from "./host-link.ts";

/** With the frame's own words still below the largest frame, also for one line of the greatest length. */
const EVENT_BYTES_PER_FRAME = 512 * 1024;

/** Behind by more than this while the socket is full, producers are paused; below, memory absorbs it. */
const UNSENT_WINDOW_EVENTS = 256;

/** Sends the events of all attempts over one link, in order, each once. */
export interface EventSender {
  /** More of this attempt may be sent. */
  notify(attempt: AttemptLog): void;
  close(): void;
}

/** Where the events of an attempt go on. */
export interface SendStart {
  readonly attempt: AttemptLog;
  readonly nextSeq: number;
}

/**
 * A sender for one link, starting after what the host has. Events that arrive in one tick share frames; when the
 * socket is full it stops, and goes on from the spool when it has drained.
 */
export function createEventSender(
  link: HostLink,
  starts: readonly SendStart[],
  on: {
    /** The link cannot take what is produced; or it can again. */
    readonly pressure: (high: boolean) => void;
    readonly failed: (error: Error) => void;
  },
): EventSender {
  const nextSeq = new Map(starts.map(({ attempt, nextSeq }) => [attempt, nextSeq]));
  const waiting = new Set(nextSeq.keys());
  let scheduled = false;
  let pumping = false;
  let closed = false;
  let high = false;

  const setPressure = (wanted: boolean) => {
    if (high === wanted) return;
    high = wanted;
    on.pressure(wanted);
  };
  const schedule = () => {
    if (scheduled || pumping || closed) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      void pump();
    });
  };
  const isFull = () => link.bufferedBytes() > LINK_BACKPRESSURE_BYTES;
  const onFlushed = () => {
    if (isFull()) return;
    setPressure(false);
    if (waiting.size > 0) schedule();
  };
  const unsentFrom = (attempt: AttemptLog) => nextSeq.get(attempt) ?? attempt.ackedSeq() + 1;
  /** True when the socket is full; far behind, the producers have to wait. */
  const isHeldUp = (unsent: number) => {
    if (!isFull()) return false;
    if (unsent > UNSENT_WINDOW_EVENTS) setPressure(true);
    return true;
  };
  /** False when the socket is full. */
  const sendAll = async (attempt: AttemptLog): Promise<boolean> => {
    while (!closed) {
      const from = unsentFrom(attempt);
      const unsent = attempt.sendableSeq() - from + 1;
      if (unsent <= 0) return true;
      if (isHeldUp(unsent)) return false;
      const found = attempt.read(from, { events: LINK_EVENTS_PER_FRAME, bytes: EVENT_BYTES_PER_FRAME });
      // What is in memory goes out in this very tick.
      const lines = "then" in found ? await found : found;
      const last = lines.at(-1);
      if (last === undefined) return true;
      nextSeq.set(attempt, last.seq + 1);
      faultPoint("worker.before-send");
      if (!closed) link.sendEvents(attempt.record.job, attempt.record.attempt, lines, onFlushed);
    }
    return true;
  };
  const pump = async () => {
    pumping = true;
    try {
      for (const attempt of waiting) {
        // Before sending: what is spooled meanwhile notifies again.
        waiting.delete(attempt);
        if (await sendAll(attempt)) continue;
        waiting.add(attempt);
        return;
      }
    } catch (caught) {
      on.failed(caught as Error);
    } finally {
      pumping = false;
      if (waiting.size > 0 && !isFull()) schedule();
    }
  };

  schedule();
  return {
    notify: (attempt) => {
      waiting.add(attempt);
      schedule();
    },
    close: () => {
      closed = true;
      waiting.clear();
      setPressure(false);
    },
  };
}
