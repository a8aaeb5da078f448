/**
 * Runs a worker against itself once, for the build's code cache. Loaded on demand: it imports what the boot of a worker
 * puts off.
 */
export async function runWarmUp(who: {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}): Promise<void> {
  const { warmUp } = await import("./warm-up.ts");
  await warmUp(who);
}
