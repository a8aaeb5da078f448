import type { Logger } from "pino";
import { type Clock, TaskGroup, toAppError } from "../../base/index.ts";
import { isTerminal, type Job } from "../../job/index.ts";
import type { Lane } from "../../lane/index.ts";
import type { Feed } from "../../store/index.ts";

/** What is known of an ephemeral lane without looking into it. */
export interface EphemeralFacts {
  readonly nowMs: number;
  /** Its newest job; null when it never had one. */
  readonly job: Job | null;
  /** A job runs or waits. */
  readonly busy: boolean;
  /** What in its inbox waits for a person, in words; null for nothing. */
  readonly open: string | null;
}

/** What to do with it. */
export type EphemeralDecision =
  /** Something is still to come. */
  | { readonly kind: "wait" }
  /** It has to be kept for a person. */
  | { readonly kind: "keep"; readonly why: string }
  /** It may go, if nothing would be lost. */
  | { readonly kind: "go" };

/** After its job: whoever follows that gets its end, and whoever has another one for the lane sends it. */
const GRACE_MS = 3000;

/** Decides by the newest job and by what waits for people. */
export function decideEphemeral({ nowMs, job, busy, open }: EphemeralFacts): EphemeralDecision {
  if (job === null || busy || !isTerminal(job.state)) return { kind: "wait" };
  if (job.state.phase !== "succeeded") return { kind: "keep", why: `its job ${job.id} is ${job.state.phase}` };
  if (open !== null) return { kind: "keep", why: open };
  return nowMs - (job.endedAtMs ?? nowMs) < GRACE_MS ? { kind: "wait" } : { kind: "go" };
}

/** What watches over ephemeral lanes needs. */
export interface EphemeralDeps {
  readonly lanes: () => readonly Lane[];
  readonly factsOf: (lane: Lane) => Omit<EphemeralFacts, "nowMs">;
  /** Waits until the lane's commits are here and pushed where that is wanted. Never rejects. */
  readonly settle: (lane: Lane, opts: { readonly signal: AbortSignal }) => Promise<void>;
  /** What would be lost, a line each; brings its commits over first. */
  readonly lossesOf: (lane: Lane, opts: { readonly signal: AbortSignal }) => Promise<readonly string[]>;
  /** Refuses when something would be lost after all. */
  readonly remove: (lane: Lane, opts: { readonly signal: AbortSignal }) => Promise<unknown>;
  readonly feed: Pick<Feed, "append" | "subscribe" | "lastOf">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Between two looks at all of them; what happens to one has it looked at sooner. */
const EVERY_MS = 15_000;
/** So far back it is looked whether a reason was told already. */
const TOLD_BACK = 50;

/**
 * Removes ephemeral lanes once their job has succeeded and nothing would be lost; says in the feed why one stays. Goes by
 * what is, not by what was seen to happen, so that it takes up where an earlier daemon ended.
 */
export function watchEphemeral(deps: EphemeralDeps): AsyncDisposable {
  const { feed, clock, log } = deps;
  const over = new AbortController();
  const tasks = new TaskGroup((name, err) => log.error({ op: name, err }, "ephemeral lanes not looked at"));
  let isLooking = false;
  let again = false;
  const stopTimers = new Set<() => void>();
  const later = (ms: number) => {
    const stop = clock.timer(ms, () => {
      stopTimers.delete(stop);
      look();
    });
    stopTimers.add(stop);
  };
  const tell = (lane: Lane, type: string, job: Job | null, data: Readonly<Record<string, unknown>>) =>
    feed.append({ atMs: clock.nowMs(), type, lane: lane.id, job: job?.id ?? null, data: { name: lane.name, ...data } });
  const tellKept = (lane: Lane, job: Job | null, why: string) => {
    const last = feed.lastOf(lane.id, TOLD_BACK).findLast(({ type }) => type === "lane.ephemeral_kept");
    if (last?.data.why !== why || last.job !== (job?.id ?? null)) tell(lane, "lane.ephemeral_kept", job, { why });
  };
  const lookAt = async (lane: Lane): Promise<void> => {
    const facts = deps.factsOf(lane);
    const decision = decideEphemeral({ ...facts, nowMs: clock.nowMs() });
    if (decision.kind === "wait") return;
    if (decision.kind === "keep") return tellKept(lane, facts.job, decision.why);
    await deps.settle(lane, { signal: over.signal });
    const lost = await deps.lossesOf(lane, { signal: over.signal });
    if (lost.length > 0) return tellKept(lane, facts.job, `would lose ${lost.join("; ")}`);
    // Another job may have come meanwhile.
    if (decideEphemeral({ ...deps.factsOf(lane), nowMs: clock.nowMs() }).kind !== "go") return;
    await deps.remove(lane, { signal: over.signal });
    tell(lane, "lane.ephemeral_removed", facts.job, { branch: lane.branch });
    log.info({ lane: lane.id, job: facts.job?.id }, "ephemeral lane removed after its job");
  };
  const lookAtAll = async (): Promise<void> => {
    for (const lane of deps.lanes()) {
      if (!lane.settings.ephemeral || lane.desired === "gone" || over.signal.aborted) continue;
      try {
        await lookAt(lane);
      } catch (caught) {
        if (!over.signal.aborted) tellKept(lane, deps.factsOf(lane).job, toAppError(caught).message);
      }
    }
  };
  const look = () => {
    if (over.signal.aborted) return;
    again = isLooking;
    if (isLooking) return;
    isLooking = true;
    tasks.run("look at ephemeral lanes", async () => {
      try {
        await lookAtAll();
      } finally {
        isLooking = false;
        if (again) look();
      }
    });
  };
  const hasEphemeral = (laneId: string | null) =>
    deps.lanes().some(({ id, settings }) => id === laneId && settings.ephemeral);
  const stopListening = feed.subscribe(({ type, lane }) => {
    const matters = /^(?:job\.(?:succeeded|failed|cancelled|lost)|inbox\..*|lane\.updated)$/.test(type);
    // Never from inside the store's own call.
    if (matters && hasEphemeral(lane)) later(GRACE_MS);
  });
  const every = () => {
    stopEvery = clock.timer(EVERY_MS, every);
    look();
  };
  let stopEvery = clock.timer(GRACE_MS, every);
  return {
    async [Symbol.asyncDispose]() {
      stopListening();
      stopEvery();
      for (const stop of stopTimers) stop();
      over.abort();
      await tasks.close();
    },
  };
}
