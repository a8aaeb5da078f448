/** Held, together with others, by every tab that a person looks at. */
const LOOKED_AT = "lanekeeper-looked-at";

/** What tabs of one browser must know of each other so that a person is told once, and only when not looking. */
interface Attention {
  /** Does a person look at any tab of the page? */
  isSomewhere(): Promise<boolean>;
}

/** What this tab knows about itself. */
export interface Look {
  isLookedAt(): boolean;
  /** Calls `fn` when that may have changed; returns the end of it. */
  onChange(fn: () => void): () => void;
}

/** Tells other tabs whether this one is looked at, until the signal aborts. */
export function watchAttention(locks: LockManager, look: Look, signal: AbortSignal): Attention {
  let release: (() => void) | null = null;
  const follow = () => {
    const isLookedAt = look.isLookedAt();
    if (isLookedAt === (release !== null)) return;
    release?.();
    release = null;
    if (!isLookedAt) return;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    void locks.request(LOOKED_AT, { mode: "shared" }, () => until);
  };
  const end = look.onChange(follow);
  const stop = () => {
    end();
    release?.();
  };
  signal.addEventListener("abort", stop, { once: true });
  follow();
  return {
    isSomewhere: async () =>
      look.isLookedAt() || (await locks.request(LOOKED_AT, { ifAvailable: true }, (lock) => lock === null)),
  };
}

/** A duty that one tab has for all of them. */
export interface Duty {
  isMine(): boolean;
}

/** Takes a duty as soon as no other tab has it, and keeps it until the signal aborts or the tab goes. */
export function takeDuty(locks: LockManager, name: string, signal: AbortSignal): Duty {
  let isMine = false;
  const keep = () => {
    isMine = true;
    return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  };
  // Refused only when the page goes.
  void locks.request(name, { signal }, keep).catch(() => undefined);
  return { isMine: () => isMine && !signal.aborted };
}
