import { hasCode } from "../base/index.ts";
import { checkActual, diffSpecs, fingerprintOf } from "../fingerprint/index.ts";
import {
  type AgentSpec,
  type DriftField,
  INSTALL_LABEL,
  type ObservedContainer,
  resourceNames,
  toCause,
  WORKER_PORT,
} from "../lane/index.ts";
import {
  buildSpec,
  judgeLiveness,
  type Observed,
  type ObservedLaneContainer,
  type PidFacts,
  type Wanted,
} from "../reconcile/index.ts";
import type { Workshop } from "./deps.ts";
import type { BuiltSpec, LaneCell, PidRecord } from "./lane-cell.ts";
import { type ImageFinder, observeImage } from "./observe-image.ts";
import type { CallOptions, EngineConnection, GenerationRecord, HostView, LaneLink } from "./ports.ts";

/** One array: a spec is built anew when it is another. */
const NO_AGENTS: readonly AgentSpec[] = [];

/** Reads what is wanted of a lane now. Engine errors but for "not there" pass through. */
export async function observeWanted<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  engine: EngineConnection,
  opts: CallOptions & { readonly findImage?: ImageFinder | undefined },
): Promise<Wanted> {
  const { lane } = cell;
  return {
    desired: lane.desired,
    spec: await observeSpec(shop, cell, engine, opts),
    driftPolicy: lane.settings.drift,
    request: cell.request,
    generation: lane.generation,
  };
}

async function observeSpec<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  engine: EngineConnection,
  opts: CallOptions & { readonly findImage?: ImageFinder | undefined },
): Promise<Wanted["spec"]> {
  const lane = (await shop.effectiveOf?.(cell.lane, { signal: opts.signal })) ?? cell.lane;
  const find = opts.findImage ?? ((name: string) => engine.runtime.findImage(name, opts));
  const [owner, image, objects] = await Promise.all([
    shop.host.ownerOf(lane.worktree),
    observeImage(shop, lane, find),
    shop.objectsOf?.(lane),
  ]);
  if (!owner) {
    const cause = {
      code: "lane.worktree_missing",
      message: `lane ${lane.name}: its worktree ${lane.worktree} is gone`,
      hint: `bring it back (git worktree add ${lane.worktree} ${lane.branch}) and: lane start ${lane.name}; or remove the lane: lane rm ${lane.name}`,
    };
    return { kind: "error", cause };
  }
  if (objects === null) {
    const cause = {
      code: "lane.worktree_missing",
      message: `lane ${lane.name}: the repository of its worktree ${lane.worktree} is gone`,
      hint: `bring it back, then: lane start ${lane.name}; or remove the lane: lane rm ${lane.name}`,
    };
    return { kind: "error", cause };
  }
  if (image.kind !== "found") return image;
  const imageId = image.id;
  try {
    const profile = await engine.profile({ ...opts, imageId });
    const agents = shop.agents?.() ?? NO_AGENTS;
    const of = { lane, profile, imageId, owner, agents, objects: objects ?? null };
    if (cell.built && isBuiltOf(cell.built, of)) return cell.built.spec;
    const built = buildSpec(lane, shop.install, profile, of);
    const spec = { kind: "ok", spec: built, fingerprint: fingerprintOf(built) } as const;
    cell.built = { ...of, spec };
    return spec;
  } catch (error) {
    if (hasCode(error, "engine.refused", "config.invalid")) return { kind: "error", cause: toCause(error) };
    throw error;
  }
}

function isBuiltOf(built: BuiltSpec, of: Omit<BuiltSpec, "spec">): boolean {
  const { lane, profile, imageId, owner, agents, objects } = built;
  if (objects !== of.objects) return false;
  const sameOwner = owner.uid === of.owner.uid && owner.gid === of.owner.gid;
  return lane === of.lane && profile === of.profile && imageId === of.imageId && agents === of.agents && sameOwner;
}

/** The record of one of the lane's generations, or null when there is none that can be read. */
export function recordOf<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  generation: number,
): GenerationRecord | null {
  if (cell.record?.generation === generation) return cell.record;
  const record = shop.store.findGeneration(cell.lane.id, generation);
  if (generation === cell.lane.generation) cell.record = record;
  return record;
}

/** Looks at what is wanted of a lane and at its container at once, the latter by name: a hand may have replaced it. */
export async function look<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  engine: EngineConnection,
  signal: AbortSignal,
): Promise<{ readonly wanted: Wanted; readonly seen: Observed }> {
  const { container } = resourceNames(shop.install.install, cell.lane.id);
  const [wanted, inspect] = await Promise.all([
    observeWanted(shop, cell, engine, { signal }),
    engine.runtime.inspectContainer(container, { signal }),
  ]);
  return { wanted, seen: observeContainer(shop, cell, wanted, inspect) };
}

/** Judges the container as inspected. Updates the cell's memory of what was seen. */
function observeContainer<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  wanted: Wanted,
  inspect: ObservedContainer | null,
): Observed {
  const { lane } = cell;
  cell.container = inspect;
  const container = inspect ? judge(shop, cell, inspect, wanted) : null;
  cell.drift = container ? [...container.specDrift, ...container.handDrift] : [];
  // What cannot be built shows no drift, and is held all the same.
  if (cell.drift.length === 0 && wanted.spec.kind === "ok") cell.heldDrift = null;
  const now = shop.clock.monotonicMs();
  cell.limboSinceMs = container?.liveness.kind === "limbo" ? (cell.limboSinceMs ?? now) : null;
  return {
    container,
    busy: shop.desk.busy(lane.id),
    linked: cell.link !== null,
    silentMs: cell.link !== null && cell.missedPings === 0 ? 0 : Math.max(1, now - cell.lastAnswerMs),
    limboMs: cell.limboSinceMs === null ? 0 : now - cell.limboSinceMs,
  };
}

function judge<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  inspect: ObservedContainer,
  wanted: Wanted,
): ObservedLaneContainer {
  const { lane } = cell;
  const labels = inspect.labels;
  const mine = inspect.rawLabels[INSTALL_LABEL] === shop.install.install;
  const record = labels ? recordOf(shop, cell, labels.generation) : null;
  const ours = mine && labels?.lane === lane.id && labels.generation === lane.generation;
  const { main, monitor } = followProcesses(shop, cell, inspect);
  const port = inspect.ports.find((p) => p.containerPort === WORKER_PORT);
  return {
    inspect,
    owner: ours ? "ours" : mine ? "stale" : "foreign",
    liveness: judgeLiveness(inspect, main, monitor),
    specDrift: ours && record && wanted.spec.kind === "ok" ? diffSpecs(record.spec, wanted.spec.spec) : [],
    handDrift: ours ? handDriftOf(record, inspect) : [],
    endpoint: port && port.hostPort > 0 ? `http://127.0.0.1:${port.hostPort}` : null,
  };
}

/**
 * What a hand has changed. A container without a record that can be read (another version wrote it), or with another
 * fingerprint than the record's, has drifted too: it is replaced when idle, never from under a running job.
 */
function handDriftOf(record: GenerationRecord | null, inspect: ObservedContainer): DriftField[] {
  if (!record) return [{ part: "worker", field: "record", was: null, is: "this version's" }];
  const label = inspect.labels?.fingerprint ?? null;
  const relabelled: DriftField = { part: "image", field: "fingerprint", was: record.fingerprint, is: label };
  return [...(label === record.fingerprint ? [] : [relabelled]), ...checkActual(record.spec, inspect)];
}

/** Puts a container's processes on record as soon as they are seen: without that its death cannot be proven later. */
export function followProcesses<L extends LaneLink>(
  shop: Workshop<L>,
  cell: LaneCell<L>,
  inspect: ObservedContainer,
): { readonly main: PidFacts; readonly monitor: PidFacts } {
  const main = followPid(shop.host, cell.main, inspect.id, inspect.pid);
  const monitor = followPid(shop.host, cell.monitor, inspect.id, inspect.conmonPid);
  cell.main = main.record;
  cell.monitor = monitor.record;
  return { main: main.facts, monitor: monitor.facts };
}

/**
 * Follows one of a container's pids. Shown for the first time, it goes on record with its start time; shown as 0 (an
 * ended container), the one on record must be gone.
 */
function followPid(
  host: HostView,
  record: PidRecord | null,
  containerId: string,
  pid: number,
): { record: PidRecord | null; facts: PidFacts } {
  const known = record?.containerId === containerId ? record : null;
  if (known && (pid === 0 || pid === known.pid)) {
    return { record: known, facts: { alive: host.startTime(known.pid) === known.startTime } };
  }
  const startTime = pid > 0 ? host.startTime(pid) : null;
  if (startTime === null) return { record: known ?? record, facts: { alive: false } };
  // Another container's process that lives on stays on record until it has gone.
  const isOtherAlive = record !== null && !known && host.startTime(record.pid) === record.startTime;
  return { record: isOtherAlive ? record : { containerId, pid, startTime }, facts: { alive: true } };
}
