import type { Readable, Writable } from "node:stream";

/**
 * Places credentials as the agent's user; see `placement/placer.ts`. Loaded on demand: what it imports takes a
 * millisecond that the start of a worker has no use for.
 */
export async function runPlacer(input: Readable, output: Writable): Promise<void> {
  const { runPlacer: run } = await import("./placement/placer.ts");
  await run(input, output);
}
