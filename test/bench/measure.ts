/** One way of doing something, measured. */
export interface Variant {
  readonly name: VariantName;
  /**
   * Does it once, or a few times, and returns what it took, in ms. What it needs before and cleans away after is not
   * in that time.
   */
  readonly run: (opts: { readonly signal: AbortSignal }) => Promise<number | readonly number[]>;
}

/** Everything that is measured round by round. */
export type VariantName =
  | "plain.warm"
  | "our.warm"
  | "our.warm.new"
  | "plain.cold"
  | "our.cold"
  | "bare.cold"
  | "trivial.cold"
  | "podman.run"
  | "podman.exec"
  | "link.ping"
  | "job.true"
  | "death";

/** A part of a start that is looked at by itself. */
export type PartName =
  | "our.cold: begin"
  | "our.cold: create"
  | "our.cold: start"
  | "our.cold: proof"
  | "bare.cold: create"
  | "bare.cold: start"
  | "bare.cold: answer";

/** Takes a part of what is being measured, ms. */
export type NotePart = (name: PartName, ms: number) => void;

/** Measured values of each variant, ms, in the order they came. */
export type Samples = Readonly<Partial<Record<VariantName, readonly number[]>>>;

/** Podman goes on for a while after a container has ended (its cleanup process); so long is waited between two runs. */
export const SETTLE_MS = 250;

/**
 * Runs all variants round by round, A B C, C B A, and so on, so that whatever else the machine does meets all of them
 * alike. The first round is for warming up and not kept.
 */
export async function interleave(
  variants: readonly Variant[],
  opts: {
    readonly rounds: number;
    readonly signal: AbortSignal;
    readonly onRound: (round: number) => void;
  },
): Promise<Samples> {
  const samples: Partial<Record<VariantName, number[]>> = {};
  for (let round = 0; round <= opts.rounds; round++) {
    opts.onRound(round);
    for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
      await pause(SETTLE_MS, opts.signal);
      const taken = [await variant.run({ signal: opts.signal })].flat();
      if (round === 0) continue;
      samples[variant.name] ??= [];
      samples[variant.name]?.push(...taken);
    }
  }
  return samples;
}

/** Median, least and greatest of some values, and how many there are. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly n: number;
}

/** Summarises; null of nothing. */
export function summarise(values: readonly number[] | undefined): Summary | null {
  const sorted = (values ?? []).toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return null;
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? min) + (sorted[Math.ceil(middle)] ?? max)) / 2;
  return { median, min, max, n: sorted.length };
}

/** The least value that a share `part` (0..1) of the values does not exceed; NaN of nothing. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

/** How long `fn` takes, ms. */
export async function timed(fn: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await fn();
  return performance.now() - from;
}

/** Waits; rejects when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
