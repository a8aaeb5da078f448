import { openLink, type WorkerLink } from "../../internal/workerlink/index.ts";
import { type BareLane, openBareLane, readSpec } from "./bare-lane.ts";
import { untilState } from "./daemon-api.ts";
import { killWorker } from "./death.ts";
import type { InspectedLane } from "./libpod.ts";
import { timed, type Variant } from "./measure.ts";
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
}

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

  const startBare = async (which: BareLane, { signal }: Signalled) => {
    const { ms, lane: started } = await which.start({ signal });
    await libpod.remove(started.id, { signal });
    return ms;
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
    { name: "our.cold", run: (o) => ourCold(scene, o) },
    { name: "bare.cold", run: (o) => startBare(bare, o) },
    { name: "trivial.cold", run: (o) => startBare(trivial, o) },
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
    async [Symbol.asyncDispose]() {
      link.close("the bench is over");
    },
  };
}

/**
 * A lane whose container is absent; its network, volume and worktree are there. Its container is removed by hand while
 * the lane is wanted stopped, so that the start has to do all there is to do.
 */
async function ourCold({ api, libpod, lanes }: Scene, opts: Signalled): Promise<number> {
  const stopped = await api.stop(lanes.cold.id, opts);
  if (stopped.container !== null) await libpod.remove(stopped.container, opts);
  await untilState(api, lanes.cold.id, "absent", opts);
  return timed(() => api.bringUp(lanes.cold.id, "start", opts));
}

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
