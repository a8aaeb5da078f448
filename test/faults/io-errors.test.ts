import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DISK_FAULTS, runFaulty, whyNoIoFaults } from "../support/io-faults.ts";
import { FULL, say, type Tally } from "./run-terms.ts";

/** The store has many write points, many of them alike: for a commit the most telling kinds of faults, at each third. */
const STORE = FULL ? { kinds: DISK_FAULTS.length, stride: 1 } : { kinds: 2, stride: 3 };
const SPOOL = { kinds: DISK_FAULTS.length, stride: 1 };

const missing = whyNoIoFaults();
if (missing !== null) {
  if (process.env.REQUIRE_PODMAN === "1") throw new Error(missing);
  say(`skipped: ${missing}`);
}

/** Tries every write point of a child program. It ends with an error where something is not as promised. */
async function tryAll(child: string, opts: typeof STORE): Promise<Tally & { readonly kinds: number }> {
  return JSON.parse(
    await runFaulty(join(import.meta.dirname, child), [opts.kinds, opts.stride].map(String)),
  ) as Tally & {
    kinds: number;
  };
}

describe.skipIf(missing !== null)("ENOSPC and EIO", { timeout: 300_000 }, () => {
  it("at each write of the store and the attempt files lose nothing acknowledged, and what was taken ends", async () => {
    const { points, kinds, acknowledged, refused } = await tryAll("io-store-child.ts", STORE);
    say(`store: ENOSPC and EIO, in ${STORE.kinds} ways: ${points} write points (${kinds} kinds)`);
    say(`  ${acknowledged} jobs acknowledged, ${refused} refused; 0 acknowledged lost`);
    // Both ways of the fault come by each of the steps: open, migrate, commit, checkpoint, file.
    expect(points).toBeGreaterThan((400 * STORE.kinds) / STORE.stride);
    expect([acknowledged > points, refused > 0]).toEqual([true, true]);
  });

  it("at each write of the worker's spool lose no accepted attempt, start none twice, leave no silent gap", async () => {
    const { points, kinds, acknowledged, refused } = await tryAll("io-spool-child.ts", SPOOL);
    say(`spool: ENOSPC and EIO, in ${SPOOL.kinds} ways: ${points} write points (${kinds} kinds)`);
    say(`  ${acknowledged} attempts accepted, ${refused} refused; 0 accepted lost, 0 started twice`);
    expect(points).toBeGreaterThan(30 * SPOOL.kinds);
    expect([acknowledged > points, refused > 0]).toEqual([true, true]);
  });
});
