import { type AcceptResult, measureAccept } from "./accept.ts";
import { type CommandOutput, measureCommandOutput } from "./command-output.ts";
import { type EventFlow, measureEventFlow } from "./event-flow.ts";
import { type LongRecord, measureLongRecord } from "./long-record.ts";
import type { Scene } from "./scene.ts";

/** Everything about jobs beyond one of `true`. */
export interface JobsResult {
  readonly accept: AcceptResult;
  readonly output: CommandOutput;
  readonly flow: EventFlow;
  readonly record: LongRecord;
}

/** Measures jobs, one thing after the other: how soon they start, how much they may say, how fast it is read again. */
export async function measureJobs(
  scene: Scene,
  opts: {
    readonly count: number;
    readonly passes: number;
    readonly signal: AbortSignal;
    readonly onPart: (what: string) => void;
  },
): Promise<JobsResult> {
  opts.onPart(`starting ${opts.count} jobs, one after the other`);
  const accept = await measureAccept(scene, opts);
  opts.onPart("printing 100 000 lines in a job");
  const output = await measureCommandOutput(scene, opts);
  opts.onPart("replaying 100 000 events");
  const flow = await measureEventFlow(opts);
  opts.onPart("storing a million events");
  const record = await measureLongRecord(opts);
  return { accept, output, flow, record };
}
