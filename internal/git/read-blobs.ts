import type { Call } from "./git-at.ts";

/** Bounds of what is read. */
export interface BlobLimits {
  /** A larger one is left out. */
  readonly blobBytes: number;
  /** And a smaller one. */
  readonly leastBytes?: number | undefined;
  readonly totalBytes: number;
}

/** Contents by blob, one byte in each character; those that are no blobs, too large or too many are left out. */
export async function readBlobs(
  run: Call,
  blobs: readonly string[],
  limits: BlobLimits,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  if (blobs.length === 0) return texts;
  const ask = async (mode: string, ids: readonly string[]) =>
    (await run(["cat-file", mode], { stdin: ids.map((id) => `${id}\n`).join("") })).stdout;
  const { leastBytes: least = 0 } = limits;
  let left = limits.totalBytes;
  const small = (await ask("--batch-check", blobs)).split("\n").flatMap((line) => {
    const [id = "", type, size] = line.split(" ");
    if (type !== "blob" || Number(size) > Math.min(limits.blobBytes, left) || Number(size) < least) return [];
    left -= Number(size);
    return [id];
  });
  if (small.length === 0) return texts;
  const output = await ask("--batch", small);
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf("\n", at);
    const [id = "", , size] = output.slice(at, end).split(" ");
    texts.set(id, output.slice(end + 1, end + 1 + Number(size)));
    at = end + 1 + Number(size) + 1;
  }
  return texts;
}
