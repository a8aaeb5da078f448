import { assertNever } from "../base/index.ts";
import { resourceNames, toLabels, toResourceLabels, WORKER_PORT, WORKER_UID } from "../lane/index.ts";
import type { PlanStep } from "../reconcile/index.ts";
import { applyEvent, noteAct } from "./apply-event.ts";
import { endContainer } from "./end-container.ts";
import { endedError, isTerminalCause, readTail, recordFailure, secretLostError, silentError } from "./failure.ts";
import { askWorker } from "./monitor.ts";
import { followProcesses } from "./observe.ts";
import type { LaneLink } from "./ports.ts";
import { adoptLink, dropLink, proveWorker } from "./prove.ts";
import type { StepContext } from "./step-context.ts";
import { supplyNewLink } from "./supply-credentials.ts";

type StepOf<Op extends PlanStep["op"]> = Extract<PlanStep, { readonly op: Op }>;

/** Carries out one step; throws when it fails, and then no later step of the plan is carried out. */
export async function execStep<L extends LaneLink>(ctx: StepContext<L>, step: PlanStep): Promise<void> {
  const { shop, cell } = ctx;
  const atMs = shop.clock.nowMs();
  switch (step.op) {
    case "make_image":
      if (shop.images?.begin(cell.lane.id, step.image, ctx.engine)) noteAct(shop, cell, "image:make", step.cause);
      return;
    case "create":
      return execCreate(ctx, step);
    case "start":
      return execStart(ctx);
    case "prove":
      return execProve(ctx);
    case "adopt":
      cell.lastAnswerMs = shop.clock.monotonicMs();
      cell.adopted = true;
      return applyEvent(shop, cell, {
        type: "adopted",
        generation: cell.lane.generation,
        containerId: step.containerId,
        endpoint: step.endpoint,
        atMs,
      });
    case "restart":
      return applyEvent(shop, cell, {
        type: "restart",
        generation: cell.lane.generation,
        containerId: step.containerId,
        atMs,
      });
    case "unpause":
      noteAct(shop, cell, "container:unpause", step.cause);
      cell.lastAnswerMs = shop.clock.monotonicMs();
      return shop.mutations.run(ctx, () => ctx.engine.runtime.unpauseContainer(step.containerId, ctx));
    case "drain":
      return applyEvent(shop, cell, { type: "drain", cause: step.cause, atMs });
    case "undrain":
      return applyEvent(shop, cell, { type: "undrain", workerPid: cell.link?.pid ?? 0, atMs });
    case "hold":
      return execHold(ctx, step);
    case "stop":
      return execStop(ctx, step);
    case "settle_stopped":
      // Found dead, with its pid gone: whatever ran in it has ended.
      dropLink(shop, cell, step.cause.message);
      shop.desk.onLaneDead({ laneId: cell.lane.id, generation: cell.lane.generation, volumeIntact: true });
      return applyEvent(shop, cell, {
        type: "stopped",
        generation: cell.lane.generation,
        containerId: step.containerId,
        atMs,
      });
    case "remove":
      return execRemove(ctx, step);
    case "fail":
      return recordFailure(shop, cell, {
        cause: step.cause,
        terminal: step.terminal,
        logTail: step.cause.code === "engine.image_failed" ? (shop.images?.outputOf(cell.lane.id) ?? []) : [],
      });
    case "dispose":
      return execDispose(ctx);
    default:
      return assertNever(step);
  }
}

async function execCreate<L extends LaneLink>(ctx: StepContext<L>, step: StepOf<"create">): Promise<void> {
  const { shop, cell, engine } = ctx;
  const { lane } = cell;
  const names = resourceNames(shop.install.install, lane.id);
  // On record before anything exists: whatever happens now, this number is never given out again.
  const generation = shop.store.beginGeneration(lane.id, step.spec, step.fingerprint.whole, shop.clock.nowMs());
  cell.lane = { ...lane, generation };
  cell.request = null;
  // Made from what is wanted: who sees it ready before the next look sees no drift of the one before.
  cell.drift = [];
  applyEvent(shop, cell, { type: "create", generation, atMs: shop.clock.nowMs() });
  const id = await shop.mutations.run(ctx, async () => {
    await Promise.all([shop.boot.stage({ lane: cell.lane, generation, spec: step.spec }), ensureResources(ctx)]);
    const labels = toLabels({
      install: shop.install.install,
      workspace: lane.workspaceId,
      lane: lane.id,
      generation,
      fingerprint: step.fingerprint.whole,
      parts: step.fingerprint.parts,
    });
    return (await engine.runtime.createContainer({ name: names.container, labels, spec: step.spec }, ctx)).id;
  });
  applyEvent(shop, cell, { type: "created", containerId: id, atMs: shop.clock.nowMs() });
}

async function ensureResources<L extends LaneLink>(ctx: StepContext<L>): Promise<void> {
  const { shop, cell, engine } = ctx;
  if (cell.resourcesReady) return;
  const owner = { install: shop.install.install, lane: cell.lane.id };
  const names = resourceNames(owner.install, owner.lane);
  const labels = toResourceLabels(owner);
  await engine.runtime.ensureNetwork({ name: names.network, isolate: true, labels }, ctx);
  const worker = { uid: WORKER_UID, gid: WORKER_UID };
  await engine.runtime.ensureVolume({ name: names.volume, labels, owner: worker }, ctx);
  cell.resourcesReady = true;
}

/** Starts the container. What is asked only afterwards costs nothing: its worker boots meanwhile. */
async function execStart<L extends LaneLink>(ctx: StepContext<L>): Promise<void> {
  const { shop, cell, engine } = ctx;
  if (cell.state.phase !== "starting") return;
  const { containerId } = cell.state;
  cell.lastAnswerMs = shop.clock.monotonicMs();
  cell.adopted = false;
  await shop.mutations.run(ctx, () => engine.runtime.startContainer(containerId, ctx));
  const inspect = await engine.runtime.inspectContainer(containerId, ctx);
  cell.container = inspect;
  if (inspect) followProcesses(shop, cell, inspect);
  const port = inspect?.ports.find((p) => p.containerPort === WORKER_PORT);
  const endpoint = `http://127.0.0.1:${port?.hostPort ?? 0}`;
  applyEvent(shop, cell, { type: "started", endpoint, atMs: shop.clock.nowMs() });
}

/** Ends with an open link of the present generation, or throws. */
async function execProve<L extends LaneLink>(ctx: StepContext<L>): Promise<void> {
  const { shop, cell } = ctx;
  const { state } = cell;
  if (!("endpoint" in state)) return;
  if (!cell.link) {
    const withinMs = state.phase === "probing" ? shop.limits.startupMs : shop.limits.plan.reproveMs;
    adoptLink(shop, cell, await prove(ctx, state.endpoint, withinMs));
  } else if (!(await askWorker(shop, cell, ctx.signal))) {
    // A link that says nothing proves nothing: while a start waits for proof, it is looked for anew.
    if (state.phase === "probing") dropLink(shop, cell, "the link does not answer");
    throw silentError(cell.lane.name);
  }
  const link = cell.link;
  if (!link) return;
  await supplyNewLink(shop, cell, link, ctx.signal);
  if (cell.link !== link) throw silentError(cell.lane.name);
  // A draining lane stays one: its job is heard again, and that is all.
  if (cell.state.phase === "probing" || cell.state.phase === "unready") {
    applyEvent(shop, cell, { type: "proven", workerPid: link.pid, atMs: shop.clock.nowMs() });
  }
}

async function prove<L extends LaneLink>(ctx: StepContext<L>, endpoint: string, withinMs: number): Promise<L> {
  const { shop, cell } = ctx;
  const { id: laneId, generation } = cell.lane;
  const secret = await shop.boot.secretOf(laneId, generation);
  if (secret === null) throw secretLostError(laneId);
  return proveWorker(
    shop,
    { laneId, endpoint, generation, secret },
    {
      signal: AbortSignal.any([ctx.signal, cell.interrupt.signal]),
      withinMs,
      checkAlive: (s) => checkAlive(ctx, s),
    },
  );
}

/** No use waiting for a worker whose container has ended. @throws lane.not_ready with how it ended */
async function checkAlive<L extends LaneLink>({ cell, engine }: StepContext<L>, signal: AbortSignal): Promise<void> {
  if (!("containerId" in cell.state)) return;
  const seen = await engine.runtime.inspectContainer(cell.state.containerId, { signal });
  if (seen && seen.status !== "exited" && seen.status !== "stopped") return;
  throw endedError(cell.lane.name, seen);
}

function execHold<L extends LaneLink>(ctx: StepContext<L>, step: StepOf<"hold">): void {
  const text = JSON.stringify(step.fields.length > 0 ? step.fields : step.cause);
  if (ctx.cell.heldDrift === text) return;
  ctx.cell.heldDrift = text;
  noteAct(ctx.shop, ctx.cell, "drift:held", step.cause);
}

async function execStop<L extends LaneLink>(ctx: StepContext<L>, step: StepOf<"stop">): Promise<void> {
  await endContainer(ctx, { containerId: step.containerId, cause: step.cause, keep: true });
}

async function execRemove<L extends LaneLink>(ctx: StepContext<L>, step: StepOf<"remove">): Promise<void> {
  const logTail = step.failure ? await readTail(ctx.shop, ctx.engine, step.containerId, ctx) : [];
  await endContainer(ctx, { containerId: step.containerId, cause: step.cause, keep: false });
  if (!step.failure) return;
  recordFailure(ctx.shop, ctx.cell, { cause: step.cause, terminal: isTerminalCause(step.cause.code), logTail });
}

async function execDispose<L extends LaneLink>(ctx: StepContext<L>): Promise<void> {
  const { shop, cell, engine } = ctx;
  const names = resourceNames(shop.install.install, cell.lane.id);
  dropLink(shop, cell, "the lane is removed");
  await engine.runtime.clearName(names.container, ctx);
  await engine.runtime.removeNetwork(names.network, ctx);
  await engine.runtime.removeVolume(names.volume, ctx);
  await shop.boot.remove(cell.lane.id);
  shop.images?.leave(cell.lane.id);
  shop.desk.onLaneRemoved(cell.lane.id);
  shop.store.deleteLane(cell.lane.id);
  shop.log.info({ lane: cell.lane.id }, "lane removed");
}
