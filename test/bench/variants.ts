import { openLink, type WorkerLink } from "../../internal/workerlink/index.ts";
import { type BareLane, openBareLane, readSpec } from "./bare-lane.ts";
import { untilState } from "./daemon-api.ts";
import { killWorker } from "./death.ts";
import type { InspectedLane } from "./libpod.ts";
import { type NotePart, type PartName, timed, type Variant } from "./measure.ts";
import { openPlainLane } from "./plain-lane.ts";
import type { Scene } from "./scene.ts";
import { BENCH_GENERATION } from "./stage-boot.ts";

/** What takes about a millisecond is done so often per round, and each counts. */
const QUICK = 5;
const PINGS = 50;

interface Signalled {
  readonly signal: AbortSignal;
}

/** The variants, and what they keep open between rounds. */
export interface Variants extends AsyncDisposable {
  readonly all: readonly Variant[];
  /** Parts of the cold starts, ms; for finding out where a missed target was missed. */
  readonly parts: Parts;
}

/** Parts of what was measured, ms. */
export type Parts = Readonly<Partial<Record<PartName, readonly number[]>>>;

/** Prepares everything that is measured in rounds. */
export async function openVariants(scene: Scene, opts: Signalled): Promise<Variants> {
  const { api, apiOnce, lanes, libpod, cli } = scene;
  const spec = readSpec(scene, lanes.cold.id);
  const plainWarm = await openPlainLane(scene, spec, "plain-warm");
  const plainCold = await openPlainLane(scene, spec, "plain-cold");
  const bare = await openBareLane(scene, spec, { ...opts, name: "bare", worker: "same" });
  const trivial = await openBareLane(scene, spec, { ...opts, name: "trivial", worker: "trivial" });
  // The links of the daemon's own lanes are the daemon's: the round trip is measured on a worker that it does not know.
  const linked = await openBareLane(scene, spec, { ...opts, name: "linked", worker: "same" });
  await plainWarm.cold(opts);
  const { lane } = await linked.start(opts);
  const link = await linkTo(linked, lane, opts);

  const parts: Partial<Record<PartName, number[]>> = {};
  const note: NotePart = (name, ms) => {
    parts[name] ??= [];
    parts[name].push(ms);
  };
  const startBare = async (which: BareLane, { signal }: Signalled) => {
    const started = await which.start({ signal });
    await libpod.remove(started.lane.id, { signal });
    return started;
  };
  const all: readonly Variant[] = [
    { name: "plain.warm", run: plainWarm.warm },
    { name: "our.warm", run: (o) => repeat(QUICK, () => api.bringUp(lanes.warm.id, "ensure", o)) },
    { name: "our.warm.new", run: (o) => repeat(QUICK, () => apiOnce.bringUp(lanes.warm.id, "ensure", o)) },
    {
      name: "plain.cold",
      run: async (o) => {
        const ms = await plainCold.cold(o);
        await plainCold.remove(o);
        return ms;
      },
    },
    { name: "our.cold", run: (o) => ourCold(scene, note, o) },
    {
      name: "bare.cold",
      run: async (o) => {
        const { createMs, startMs, answerMs, totalMs } = await startBare(bare, o);
        note("bare.cold: create", createMs);
        note("bare.cold: start", startMs);
        note("bare.cold: answer", answerMs);
        return totalMs;
      },
    },
    { name: "trivial.cold", run: async (o) => (await startBare(trivial, o)).totalMs },
    {
      name: "podman.run",
      run: (o) => timed(() => cli.run(["run", "--rm", ...cli.limits, scene.imageId, "true"], o)),
    },
    { name: "podman.exec", run: (o) => timed(() => cli.run(["exec", linked.name, "true"], o)) },
    { name: "link.ping", run: (o) => repeat(PINGS, () => link.ping(o)) },
    { name: "job.true", run: (o) => repeat(QUICK, () => runJob(scene, o)) },
    { name: "death", run: (o) => killWorker(scene, lanes.mortal.id, o) },
  ];
  return {
    all,
    parts,
    async [Symbol.asyncDispose]() {
      link.close("the bench is over");
    },
  };
}

/**
 * A lane whose container is absent; its network, volume and worktree are there. Its container is removed by hand while
 * the lane is wanted stopped, so that the start has to do all there is to do.
 */
export async function ourCold({ api, libpod, lanes }: Scene, note: NotePart, opts: Signalled): Promise<number> {
  const { id } = lanes.cold;
  const stopped = await api.stop(id, opts);
  if (stopped.container !== null) await libpod.remove(stopped.container, opts);
  await untilState(api, id, "absent", opts);
  const beginAtMs = Date.now();
  const ms = await timed(() => api.bringUp(id, "start", opts));
  let lastAtMs = beginAtMs;
  for (const { event, at } of await api.history(id, OUR_PARTS.size, opts)) {
    const part = OUR_PARTS.get(event);
    if (part) note(part, Date.parse(at) - lastAtMs);
    lastAtMs = Date.parse(at);
  }
  return ms;
}

/** What has ended when a lane's history says so. */
const OUR_PARTS: ReadonlyMap<string, PartName> = new Map([
  ["create", "our.cold: begin"],
  ["created", "our.cold: create"],
  ["started", "our.cold: start"],
  ["proven", "our.cold: proof"],
]);

/** From the POST of a job to its last event, as a program sees it that follows it over the API. */
async function runJob({ api, lanes }: Scene, opts: Signalled): Promise<void> {
  const job = await api.submit(lanes.warm.id, ["true"], opts);
  for await (const event of api.followJob(job.id, opts)) {
    if (event.type !== "state" || event.phase === "queued" || event.phase === "dispatching") continue;
    if (event.phase === "succeeded") return;
    if (event.phase !== "accepted" && event.phase !== "running") throw new Error(`the job ended ${event.phase}`);
  }
  throw new Error(`the events of job ${job.id} ended before it did`);
}

function linkTo(bare: BareLane, lane: InspectedLane, { signal }: Signalled): Promise<WorkerLink> {
  return openLink({
    laneId: bare.name,
    endpoint: lane.endpoint,
    secret: bare.boot.secret,
    generation: BENCH_GENERATION,
    build: null,
    signal,
    getAcked: () => ({}),
    on: {
      events: () => undefined,
      heartbeat: () => undefined,
      apiRequest: async () => ({ status: 501, contentType: "text/plain", body: "" }),
      closed: () => undefined,
    },
  });
}

async function repeat(times: number, fn: () => Promise<unknown>): Promise<readonly number[]> {
  const all: number[] = [];
  for (let n = 0; n < times; n++) all.push(await timed(fn));
  return all;
}
