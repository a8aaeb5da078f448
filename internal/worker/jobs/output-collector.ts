import type { WorkerEventBody } from "../../job/index.ts";
import { incompleteTail, toOutputChunks } from "./output-chunks.ts";

/** One of a process's two output streams. */
export type StreamName = "stdout" | "stderr";

/** How much of the end of stderr goes into the result. */
export const STDERR_TAIL_BYTES = 4096;

/** Turns what a process writes into output events. */
export interface OutputCollector {
  push(stream: StreamName, bytes: Buffer): void;
  /** Hands over what is left, with one `gap` for everything that was cut. Nothing may be pushed afterwards. */
  end(): void;
  /** Output was cut. */
  truncated(): boolean;
  stderrTail(): string;
}

/** How a collector hands events over. */
export interface OutputSink {
  /** Output beyond this many bytes is cut. */
  readonly capBytes: number;
  /** Marks standard output as an agent's own stream. */
  readonly rawStdout?: boolean | undefined;
  /** Takes output; false when it could not be kept: it is then counted as cut. */
  readonly emit: (bodies: readonly WorkerEventBody[]) => boolean;
  /** Takes the one `gap`. */
  readonly emitGap: (bytes: number) => void;
  /** Calls `flush` at the end of this tick: what arrived together shares events. */
  readonly schedule: (flush: () => void) => void;
}

/** A collector for one attempt. */
export function createOutputCollector(sink: OutputSink): OutputCollector {
  let pending: { readonly stream: StreamName; readonly parts: Buffer[] }[] = [];
  const carry: Record<StreamName, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  let scheduled = false;
  let kept = 0;
  let cut = 0;
  let tail: Buffer = Buffer.alloc(0);

  const admit = (bytes: Buffer): Buffer => {
    const room = Math.max(0, sink.capBytes - kept);
    if (bytes.length <= room) return bytes;
    const head = bytes.subarray(0, room);
    return head.subarray(0, head.length - incompleteTail(head));
  };
  const emit = (stream: StreamName, bytes: Buffer) => {
    // Once something was cut nothing more is shown: what follows the gap would not be where it belongs.
    const admitted = cut > 0 ? bytes.subarray(0, 0) : admit(bytes);
    cut += bytes.length - admitted.length;
    if (admitted.length === 0) return;
    kept += admitted.length;
    const raw = stream === "stdout" && sink.rawStdout ? ({ raw: true } as const) : {};
    const bodies = toOutputChunks(admitted).map((chunk) => ({ type: "output", stream, ...raw, ...chunk }) as const);
    if (!sink.emit(bodies)) cut += admitted.length;
  };
  const flush = () => {
    scheduled = false;
    const runs = pending;
    pending = [];
    for (const { stream, parts } of runs) {
      const bytes = Buffer.concat([carry[stream], ...parts]);
      const whole = bytes.length - incompleteTail(bytes);
      carry[stream] = bytes.subarray(whole);
      emit(stream, bytes.subarray(0, whole));
    }
  };
  return {
    push: (stream, bytes) => {
      if (stream === "stderr") tail = Buffer.concat([tail, bytes]).subarray(-STDERR_TAIL_BYTES);
      const last = pending.at(-1);
      if (last?.stream === stream) last.parts.push(bytes);
      else pending.push({ stream, parts: [bytes] });
      if (scheduled) return;
      scheduled = true;
      sink.schedule(flush);
    },
    end: () => {
      flush();
      for (const stream of ["stdout", "stderr"] as const) emit(stream, carry[stream]);
      if (cut > 0) sink.emitGap(cut);
    },
    truncated: () => cut > 0,
    // The cut may have gone through a character.
    stderrTail: () => tail.toString("utf8").replace(/^\uFFFD{1,3}/, ""),
  };
}
