import { join } from "node:path";
import { execa } from "execa";

/** Something secret that was found where it must not be. Never its value. */
export interface ProcessHit {
  readonly place: "argv" | "environ";
  /** Which secret. */
  readonly name: string;
  /** The process' program, without its folder. */
  readonly program: string;
  readonly inContainer: boolean;
  /** Is it a process of a job? */
  readonly isJob: boolean;
}

/** What was looked at, and what was found: each hit once. */
export interface ProcessSightings {
  readonly passes: number;
  readonly commandLines: number;
  readonly environments: number;
  /** Between the ends of two passes, ms. */
  readonly longestGapMs: number;
  readonly hits: readonly ProcessHit[];
}

/** A look at all processes of the machine every few milliseconds, until {@link ProcessWatch.end}. */
export interface ProcessWatch extends AsyncDisposable {
  /** Looks for these instead from now on; for processes that run already as well. */
  lookFor(secrets: readonly { readonly name: string; readonly value: string }[]): void;
  end(): Promise<ProcessSightings>;
}

/** Starts to look, in a process of its own: it shows the secrets neither in its arguments nor in its environment. */
export function watchProcesses(): ProcessWatch {
  const child = execa(process.execPath, [join(import.meta.dirname, "watch-processes.cjs")], { stdin: "pipe" });
  // Rejections are told by `end`, or do not matter any more.
  child.catch(() => undefined);
  return {
    lookFor: (secrets) => {
      child.stdin.write(`${JSON.stringify(secrets)}\n`);
    },
    end: async () => {
      child.stdin.end();
      return JSON.parse((await child).stdout) as ProcessSightings;
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await child.catch(() => undefined);
    },
  };
}
