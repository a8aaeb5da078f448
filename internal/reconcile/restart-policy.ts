/** Numbers of the ladder; from KEP-4603, kubelet, Nomad and systemd (guarantees page, section 2). */
export interface RestartPolicy {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Delays are spread by this share either way. */
  readonly jitter: number;
  /** Failures older than this do not count. */
  readonly windowMs: number;
  /** So many failures inside the window make the lane `failed`. */
  readonly maxFailures: number;
  /** Being ready for so long forgets all failures. */
  readonly forgetAfterReadyMs: number;
}

/** The ladder used unless configured otherwise: 1, 2, 4 … 60 s, ±25 %; the 8th failure inside ten minutes is the last. */
export const DEFAULT_RESTART_POLICY: RestartPolicy = {
  baseMs: 1000,
  maxMs: 60_000,
  jitter: 0.25,
  windowMs: 600_000,
  maxFailures: 8,
  forgetAfterReadyMs: 600_000,
};

/** What to do after a failed start or a death. `failuresAtMs` is the new window, the present failure included. */
export type RestartVerdict =
  | {
      readonly kind: "retry";
      readonly delayMs: number;
      readonly failuresAtMs: readonly number[];
      readonly reason: string;
    }
  | { readonly kind: "give_up"; readonly failuresAtMs: readonly number[]; readonly reason: string };

/**
 * Decides on the next start. Pure: time and randomness come in.
 * @param failure `terminal` causes (missing image, bad mount, bad configuration) give up at once;
 *   `at_once` causes (the drawn port was taken) get one immediate try when they are the first in the window.
 */
export function decideRestart(
  policy: RestartPolicy,
  failure: {
    readonly kind: "terminal" | "at_once" | "ordinary";
    readonly failuresAtMs: readonly number[];
    readonly nowMs: number;
    /** Uniform in [0, 1). */
    readonly unit: number;
  },
): RestartVerdict {
  const recent = failure.failuresAtMs.filter((at) => failure.nowMs - at < policy.windowMs);
  const failuresAtMs = [...recent, failure.nowMs];
  const n = failuresAtMs.length;
  if (failure.kind === "terminal") return { kind: "give_up", failuresAtMs, reason: "trying again cannot help" };
  if (n >= policy.maxFailures) {
    return {
      kind: "give_up",
      failuresAtMs,
      reason: `${n} failures within ${Math.round(policy.windowMs / 60_000)} minutes`,
    };
  }
  if (failure.kind === "at_once" && n === 1)
    return { kind: "retry", delayMs: 0, failuresAtMs, reason: "once more, at once" };
  const bare = Math.min(policy.maxMs, policy.baseMs * 2 ** (n - 1));
  const delayMs = bare * (1 - policy.jitter + 2 * policy.jitter * failure.unit);
  return { kind: "retry", delayMs, failuresAtMs, reason: `failure ${n} of at most ${policy.maxFailures}` };
}
