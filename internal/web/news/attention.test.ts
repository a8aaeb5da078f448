import { describe, expect, it } from "vitest";
import { settle } from "../../base/testing.ts";
import { type Look, takeDuty, watchAttention } from "./attention.ts";

describe("what tabs know of each other", () => {
  it("whether a person looks at any of them, also when the look changes while a lock is on its way", async () => {
    const locks = fakeLocks();
    const stop = new AbortController();
    const [one, other] = [fakeLook(), fakeLook()];
    const first = watchAttention(locks, one, stop.signal);
    const second = watchAttention(locks, other, stop.signal);
    expect(await second.isSomewhere()).toBe(false);
    one.set(true);
    await settle();
    expect([await first.isSomewhere(), await second.isSomewhere()]).toEqual([true, true]);
    other.set(true);
    one.set(false);
    await settle();
    expect(await first.isSomewhere()).toBe(true);
    other.set(false);
    one.set(true);
    one.set(false);
    await settle();
    expect([await first.isSomewhere(), await second.isSomewhere()]).toEqual([false, false]);
    one.set(true);
    await settle();
    stop.abort();
    await settle();
    expect(await second.isSomewhere()).toBe(false);
  });

  it("who of them has a duty: one at a time, the next when it goes", async () => {
    const locks = fakeLocks();
    const stops = [new AbortController(), new AbortController()];
    const duties = stops.map(({ signal }) => takeDuty(locks, "ring", signal));
    await settle();
    expect(duties.map((duty) => duty.isMine())).toEqual([true, false]);
    stops[0]?.abort();
    await settle();
    expect(duties.map((duty) => duty.isMine())).toEqual([false, true]);
  });
});

function fakeLook(): Look & { set(isLookedAt: boolean): void } {
  let isNow = false;
  const listeners = new Set<() => void>();
  return {
    isLookedAt: () => isNow,
    onChange: (fn) => {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    set(isLookedAt) {
      isNow = isLookedAt;
      for (const fn of listeners) fn();
    },
  };
}

interface Request {
  readonly name: string;
  readonly shared: boolean;
  readonly run: () => Promise<unknown>;
}

/** A browser's locks, as far as they are used here: exclusive and shared ones, granted in order. */
function fakeLocks(): LockManager {
  const held: Request[] = [];
  const waiting: Request[] = [];
  const isFree = (one: Request) => held.every(({ name, shared }) => name !== one.name || (shared && one.shared));
  const grant = () => {
    for (const one of [...waiting]) {
      if (!isFree(one)) continue;
      waiting.splice(waiting.indexOf(one), 1);
      held.push(one);
      void one.run().finally(() => {
        held.splice(held.indexOf(one), 1);
        grant();
      });
    }
  };
  const request = async (name: string, opts: LockOptions, use: (lock: Lock | null) => unknown): Promise<unknown> => {
    await Promise.resolve();
    const shared = opts.mode === "shared";
    const lock: Lock = { name, mode: opts.mode ?? "exclusive" };
    return new Promise((resolve, reject) => {
      const run = async () => resolve(await use(lock));
      const one = { name, shared, run };
      if (opts.ifAvailable && !isFree(one)) return resolve(use(null));
      opts.signal?.addEventListener("abort", () => waiting.includes(one) && reject(new Error("aborted")));
      waiting.push(one);
      grant();
    });
  };
  return { request, query: () => Promise.reject(new Error("not here")) } as LockManager;
}
