/** How long the record of an attempt is kept once the host has all of it. */
export const RETENTION_MS = 24 * 3_600_000;

/** At most this many records of settled attempts are kept. */
export const RETENTION_COUNT = 1000;

/** At most this much output of settled attempts is kept: a lane that floods must not fill the disk. */
export const RETENTION_BYTES = 1024 * 1024 * 1024;

/** Chooses which settled attempts go: settled too long ago, too many or too big, the oldest first. */
export function chooseExpired<T extends { readonly atMs: number; readonly bytes: number }>(
  settled: readonly T[],
  nowMs: number,
): readonly T[] {
  const newestFirst = [...settled].sort((a, b) => b.atMs - a.atMs);
  let bytes = 0;
  return newestFirst.filter((attempt, i) => {
    bytes += attempt.bytes;
    return i >= RETENTION_COUNT || bytes > RETENTION_BYTES || nowMs - attempt.atMs > RETENTION_MS;
  });
}
