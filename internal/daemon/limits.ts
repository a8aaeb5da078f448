import type { Settings } from "../config/index.ts";
import { DEFAULT_POLICY, type DispatchPolicy } from "../dispatch/index.ts";
import { DEFAULT_PLAN_LIMITS, DEFAULT_RESTART_POLICY } from "../reconcile/index.ts";
import { DEFAULT_LIMITS, type SupervisorLimits } from "../supervisor/index.ts";

/** How jobs are dispatched. */
export function toPolicy({ jobs, timeouts }: Settings): DispatchPolicy {
  return {
    ...DEFAULT_POLICY,
    admission: { maxRunning: jobs.max, minFreeMemoryBytes: jobs.minFreeMemoryBytes },
    cancelMs: timeouts.cancelMs,
    stuckAfterMs: jobs.stuckAfterMs,
    stuckAction: jobs.stuckAction,
  };
}

/** How lanes are kept. */
export function toLimits(settings: Settings): SupervisorLimits {
  const { timeouts, backoff } = settings;
  return {
    ...DEFAULT_LIMITS,
    concurrency: settings.lanes.concurrency,
    startupMs: timeouts.startupMs,
    ping: { everyMs: timeouts.pingMs, timeoutMs: timeouts.pingAnswerMs, misses: DEFAULT_LIMITS.ping.misses },
    stopGraceMs: timeouts.stopGraceMs,
    relistMs: timeouts.relistMs,
    orphanGraceMs: timeouts.orphanGraceMs,
    restart: {
      ...DEFAULT_RESTART_POLICY,
      baseMs: backoff.baseMs,
      maxMs: backoff.maxMs,
      windowMs: backoff.windowMs,
      maxFailures: backoff.failures,
      forgetAfterReadyMs: backoff.forgetMs,
    },
    plan: {
      ...DEFAULT_PLAN_LIMITS,
      hungMs: timeouts.hungMs,
      stopDrainMs: timeouts.stopDrainMs,
      settleMs: timeouts.settleMs,
    },
  };
}
