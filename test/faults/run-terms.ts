/** Numbers in [0, 1) that a seed gives again: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: SEED of the environment, else a new one. It is printed with the figures. */
export function chooseSeed(): number {
  const { SEED } = process.env;
  return SEED ? Number(SEED) : Date.now() % 1_000_000;
}

export { FULL } from "../support/full.ts";

/** Prints a line of figures, past the test reporter. */
export function say(text: string): void {
  process.stdout.write(`[faults] ${text}\n`);
}

/** What a series of injected faults came to. */
export interface Tally {
  /** Calls that were made to fail, one in each try. */
  readonly points: number;
  readonly acknowledged: number;
  readonly refused: number;
}
