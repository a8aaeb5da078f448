import { constants } from "node:fs";
import { open } from "node:fs/promises";

/**
 * What a regular file holds, up to one byte more than `maxBytes`; null for anything else. Read through one descriptor
 * that is looked at first: what was a file a moment ago may be something else by now. Rejects with the system's error.
 */
export async function readUpTo(
  path: string,
  opts: { readonly maxBytes: number; readonly followLink: boolean },
): Promise<Buffer | null> {
  const { maxBytes, followLink } = opts;
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (followLink ? 0 : constants.O_NOFOLLOW);
  await using file = await open(path, flags);
  if (!(await file.stat()).isFile()) return null;
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  while (length <= maxBytes) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
