import { createHash } from "node:crypto";
import type { Clock } from "../base/index.ts";

/** Secrets that work once and not for long, each with what it stands for. */
export interface OneTimeSecrets<T> {
  put(secret: string, value: T): void;
  /** What the secret stands for, the first time and in time; else undefined. */
  take(secret: string): T | undefined;
}

/**
 * Kept by digest, so that looking one up says nothing of the others by the time it takes.
 * @param opts `max`: beyond so many the oldest goes
 */
export function oneTimeSecrets<T>(opts: {
  readonly clock: Clock;
  readonly lifeMs: number;
  readonly max: number;
}): OneTimeSecrets<T> {
  const kept = new Map<string, { readonly value: T; readonly untilMs: number }>();
  const digestOf = (secret: string) => createHash("sha256").update(secret).digest("hex");
  return {
    put(secret, value) {
      const nowMs = opts.clock.monotonicMs();
      for (const [digest, { untilMs }] of kept) if (untilMs <= nowMs || kept.size >= opts.max) kept.delete(digest);
      kept.set(digestOf(secret), { value, untilMs: nowMs + opts.lifeMs });
    },
    take(secret) {
      const digest = digestOf(secret);
      const found = kept.get(digest);
      kept.delete(digest);
      return found !== undefined && found.untilMs > opts.clock.monotonicMs() ? found.value : undefined;
    },
  };
}
