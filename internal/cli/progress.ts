import { type Clock, renderDuration } from "../base/index.ts";
import type { Output } from "./io.ts";
import { toPlain, truncate } from "./text.ts";

/** Tells what is going on while something takes time. On stderr only. */
export interface Progress {
  /** Says what is being waited for now; saying it again is free. */
  update(text: string): void;
  /** Takes the line away. Call before anything else is written to the terminal, and at the end. */
  clear(): Promise<void>;
}

/** How often the elapsed time on the line moves. */
const TICK_MS = 500;

/** One rewriting line with the elapsed time on a terminal, a line per change otherwise, nothing when quiet. */
export function createProgress(opts: {
  readonly stderr: Output;
  readonly quiet: boolean;
  readonly clock: Clock;
}): Progress {
  if (opts.quiet) return { update: () => {}, clear: async () => {} };
  return opts.stderr.isTty ? rewriting(opts.stderr, opts.clock) : lines(opts.stderr);
}

function lines(stderr: Output): Progress {
  let shown = "";
  let written = Promise.resolve();
  return {
    update(text) {
      if (text === shown) return;
      shown = text;
      written = stderr.write(`${toPlain(text)}\n`);
    },
    clear: () => written,
  };
}

function rewriting(stderr: Output, clock: Clock): Progress {
  let shown: { readonly text: string; readonly sinceMs: number } | null = null;
  let stopTicking = () => {};
  let written = Promise.resolve();
  const draw = () => {
    if (shown === null) return;
    const elapsedMs = clock.monotonicMs() - shown.sinceMs;
    const elapsed = elapsedMs < 1000 ? "" : ` (${renderDuration(elapsedMs)})`;
    written = stderr.write(`\r\u001b[K${truncate(toPlain(shown.text) + elapsed, (stderr.columns ?? 80) - 1)}`);
    stopTicking = clock.timer(TICK_MS, draw);
  };
  return {
    update(text) {
      if (shown?.text === text) return;
      stopTicking();
      shown = { text, sinceMs: clock.monotonicMs() };
      draw();
    },
    async clear() {
      stopTicking();
      if (shown !== null) written = stderr.write("\r\u001b[K");
      shown = null;
      await written;
    },
  };
}
