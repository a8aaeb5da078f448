import { isActive, type Job } from "../job/index.ts";
import { detachLink, markLost } from "./attach.ts";
import type { DispatchContext } from "./context.ts";

/** A lane's container is proven dead. */
export interface LaneDeath {
  readonly laneId: string;
  readonly generation: number;
  /** The volume is there still: the next generation's worker will say how the attempts ended. */
  readonly volumeIntact: boolean;
}

/**
 * Records what the proof of death alone decides. With the volume intact that is little: whether an attempt had ended
 * before is written in the spool, and the next worker reads it. Only what was to be cancelled is cancelled now: nothing
 * of it is left, and no worker starts an attempt unless it is told to. May be repeated.
 */
export function laneDied(ctx: DispatchContext, death: LaneDeath): void {
  const { laneId, generation } = death;
  const slot = ctx.slots.of(laneId);
  slot.deadGeneration = Math.max(slot.deadGeneration, generation);
  if (slot.link && slot.link.generation <= generation) detachLink(ctx, laneId);
  ctx.flush();
  ctx.writer.commit(() => {
    for (const job of ctx.store.jobs.listActive(laneId)) {
      if (isActive(job.state) && job.state.generation <= generation) resolveDead(ctx, job, death.volumeIntact);
    }
  });
  ctx.readmit();
}

/**
 * The lane is being removed for good, its container and volume are gone: jobs that wait are cancelled, active ones end.
 * None is retried, and their files go. May be repeated.
 */
export function laneRemoved(ctx: DispatchContext, laneId: string): void {
  detachLink(ctx, laneId);
  ctx.flush();
  ctx.writer.commit(() => {
    for (const job of ctx.store.jobs.listActive(laneId)) {
      resolveDead(ctx, { ...job, spec: { ...job.spec, retry: "never" } }, false);
    }
    for (const job of [...ctx.store.jobs.listQueued(laneId), ...ctx.store.jobs.listAwaiting(laneId)]) {
      ctx.writer.apply(job, { type: "cancel" }, { detail: "the lane was removed" });
    }
  });
  ctx.slots.delete(laneId);
  ctx.files?.removeLane(laneId);
  ctx.readmit();
}

function resolveDead(ctx: DispatchContext, job: Job, volumeIntact: boolean): void {
  if (!isActive(job.state)) return;
  if (job.state.cancelling) {
    ctx.writer.apply(job, { type: "cancelled", result: null, forced: true });
  } else if (volumeIntact) {
    ctx.writer.apply(job, { type: "unreachable" });
  } else {
    markLost(ctx, job, { code: "container_gone", message: "the lane's container and volume are gone" });
  }
}
