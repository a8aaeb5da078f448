import { pause, timed } from "./measure.ts";
import type { Scene } from "./scene.ts";

/** A job that prints a lot, from its POST to its end on record. */
export interface CommandOutput {
  readonly lines: number;
  /** Output events that these lines became, one value per pass: what arrives together shares an event. */
  readonly events: readonly number[];
  readonly bytes: number;
  readonly ms: readonly number[];
}

interface PassOptions {
  readonly passes: number;
  readonly signal: AbortSignal;
}

const LINES = 100_000;

/** A write per line: a program that buffers its output would give some hundred big events. */
const PRINT = `i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); done`;

/** Looked for the end so often, ms: costs the daemon nothing, and a whole run takes about a second. */
const LOOK_MS = 10;

/** Runs the job `passes` times through the whole product; every line is counted afterwards. */
export async function measureCommandOutput(
  { api, lanes }: Scene,
  { passes, signal }: PassOptions,
): Promise<CommandOutput> {
  const events: number[] = [];
  const ms: number[] = [];
  let bytes = 0;
  for (let pass = 0; pass < passes; pass++) {
    let id = "";
    const taken = await timed(async () => {
      ({ id } = await api.submit(lanes.warm.id, ["/bin/sh", "-c", PRINT], { signal }));
      while (!isEnd((await api.job(id, { signal })).state)) await pause(LOOK_MS, signal);
    });
    ms.push(taken);
    const texts: string[] = [];
    for await (const event of api.followJob(id, { signal })) {
      if (event.type === "output" && typeof event.text === "string") texts.push(event.text);
    }
    const text = texts.join("");
    const lines = text.split("\n").length - 1;
    if (lines !== LINES) throw new Error(`job ${id}: ${lines} of ${LINES} lines arrived`);
    events.push(texts.length);
    bytes = Buffer.byteLength(text);
  }
  return { lines: LINES, events, bytes, ms };
}

function isEnd(state: string): boolean {
  if (state === "succeeded") return true;
  if (["queued", "dispatching", "accepted", "running"].includes(state)) return false;
  throw new Error(`the printing job ended ${state}`);
}
