import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import type { JobSpec } from "../../internal/job/index.ts";
import { ATTEMPT_FILES, parseSettled, toAttemptDir } from "../../internal/worker/spool/attempt-files.ts";
import { openTempFolder } from "../bench/temp-folder.ts";
import { type FrameFigures, startFrameProxy } from "../support/frame-proxy.ts";
import { eventually } from "../support/installation.ts";
import { bundleWorker, startWorkerProcess, TEST_WORKER } from "../support/worker-process.ts";
import { type HostParts, openHostParts } from "./host-parts.ts";
import { chooseSeed, FULL, say, seededRandom } from "./run-terms.ts";

const LANE = TEST_WORKER.laneId;
const EVENTS = 10_000;
const ROUNDS = FULL ? 10 : 1;
const ROUND_MS = 40_000;
/** A connection is cut behind a number of events in this range. */
const CUT_AFTER = { least: 50, most: 150 };
const LOST_ACKS = 0.2;

/**
 * The daemon reaches a lane on the port that Podman gave it: there is no place between them. So the daemon's own parts
 * run in this process, dispatcher, store and links, and the real worker beside it; only the container is missing.
 */
describe("a link that is cut again and again", { timeout: ROUNDS * ROUND_MS }, () => {
  const seed = chooseSeed();
  const random = seededRandom(seed);
  const weather = {
    eventsPerConnection: () => CUT_AFTER.least + Math.floor(random() * (CUT_AFTER.most - CUT_AFTER.least + 1)),
    // The last one always: no later one makes up for it.
    losesAck: (seq: number) => seq === EVENTS || random() < LOST_ACKS,
  };

  it("brings each event once, as it stands in the worker's spool", async () => {
    await using folder = await openTempFolder();
    using bundle = await bundleWorker();
    const volume = join(folder.path, "volume");
    await using worker = await startWorkerProcess({ bundle: bundle.path, stateDir: volume });
    await using host = openHostParts(folder.path);
    const fifo = join(folder.path, "credit");
    await execa("mkfifo", [fifo]);
    const seconds: number[] = [];
    const sum = { cuts: 0, acks: 0, lostAcks: 0, events: 0 };
    for (let round = 1; round <= ROUNDS; round++) {
      const startedMs = performance.now();
      await using proxy = await startFrameProxy(worker.endpoint, weather);
      await using _ = keepLinked(host, proxy.endpoint);
      const { job } = host.dispatcher.submit({ laneId: LANE, spec: agentSpec(fifo) });
      const attemptDir = join(volume, "spool", toAttemptDir(job.id, 1));
      const spool = join(attemptDir, ATTEMPT_FILES.events);
      await printUntil(EVENTS - 1, { fifo, spool });
      const { state } = await host.dispatcher.waitJob(job.id, { signal: host.broken, timeoutMs: ROUND_MS / 2 });
      seconds.push((performance.now() - startedMs) / 1000);
      const { cuts, lostAcks } = addTo(sum, proxy.figures());

      expect(state.phase).toBe("succeeded");
      const stored = host.store.jobs.readAttemptEvents(job.id, 1, { after: 0, limit: 2 * EVENTS });
      expect(stored.map((event) => event.seq)).toEqual(Array.from({ length: EVENTS }, (_, n) => n + 1));
      const lines = stored.map((event) => `${JSON.stringify(event)}\n`).join("");
      // Not compared by expect, which would print a megabyte.
      expect(lines === readFileSync(spool, "utf8")).toBe(true);
      expect(cuts).toBeGreaterThan(EVENTS / CUT_AFTER.most - 2);
      expect(lostAcks).toBeGreaterThan(1);
      // On the next link the worker learns that the host has all.
      proxy.calm();
      const settled = () =>
        parseSettled(readFileSync(join(attemptDir, ATTEMPT_FILES.acked), "utf8"))?.lastSeq === EVENTS;
      await eventually(settled, { what: "the worker to know that all is stored" });
    }
    const longest = Math.max(...seconds).toFixed(1);
    say(`cut links, seed ${seed}: ${ROUNDS} x ${EVENTS} events, each in ${longest} s at most`);
    say(`  ${sum.cuts} cuts amid a frame; ${sum.lostAcks} of ${sum.acks} acks dropped;`);
    say(`  ${sum.events} events came in whole frames; stored: exactly 1..${EVENTS},`);
    say("  byte-equal to the worker's spool");
  });
});

const agentSpec = (fifo: string): JobSpec => ({
  work: { kind: "command", argv: [process.execPath, join(import.meta.dirname, "credit-agent.cjs"), fifo] },
  key: null,
  deadlineMs: null,
  priority: 0,
  retry: "never",
});

function keepLinked(host: HostParts, endpoint: string): AsyncDisposable {
  const stop = new AbortController();
  const kept = host.keepLinked(endpoint, { signal: stop.signal });
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return kept;
    },
  };
}

/**
 * Has the agent print until its attempt has just `events` events, then end. Lines that arrive together share an event:
 * so each time as many more are asked for as events are missing, which is never one too many.
 */
async function printUntil(events: number, at: { readonly fifo: string; readonly spool: string }): Promise<void> {
  // For reading too, or opening would wait for the agent.
  const fifo = await open(at.fifo, "r+");
  try {
    let lines = 0;
    for (let missing = events - 1; missing > 0; ) {
      lines += missing;
      await fifo.write(`${missing}\n`);
      const isPrinted = () => readFileSync(at.spool, "utf8").includes(`line ${lines}\\n`);
      await eventually(isPrinted, { what: `line ${lines} in the spool`, withinMs: ROUND_MS });
      missing = events - countLines(readFileSync(at.spool, "utf8"));
    }
    await fifo.write("0\n");
  } finally {
    await fifo.close();
  }
}

function countLines(text: string): number {
  return text.split("\n").length - 1;
}

function addTo(sum: Record<keyof FrameFigures, number>, more: FrameFigures): FrameFigures {
  for (const name of ["cuts", "acks", "lostAcks", "events"] as const) sum[name] += more[name];
  return more;
}
