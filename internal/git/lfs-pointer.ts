import { createHash } from "node:crypto";
import { read } from "node:fs";
import { promisify } from "node:util";
import { throwIfAborted } from "../base/index.ts";

/** What git-lfs has git keep of a large file: the name of its content, and its size in bytes. */
export interface LfsPointer {
  readonly oid: string;
  readonly size: number;
}

/** Git-lfs takes nothing larger for a pointer, and writes none that is smaller. */
export const POINTER_MAX_BYTES = 1024;
export const POINTER_MIN_BYTES = 120;
const PIECE_BYTES = 1024 * 1024;
const readAsync = promisify(read);

/** The pointer that a text is, or null. One with extensions, which change what the name means, is none. */
export function parsePointer(text: string): LfsPointer | null {
  const found =
    /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n?$/.exec(text);
  return found?.[1] === undefined ? null : { oid: found[1], size: Number(found[2]) };
}

/** The text of a pointer, byte for byte as git-lfs writes it. */
export function renderPointer({ oid, size }: LfsPointer): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`;
}

/**
 * Hashes an open file, or what it has up to `maxBytes`, which may grow or shrink meanwhile.
 * @param take each piece in turn
 * @returns null for more than `maxBytes`
 */
export async function hashFile(
  fd: number,
  opts: {
    readonly maxBytes: number;
    readonly take?: ((piece: Buffer) => Promise<void>) | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<LfsPointer | null> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  let size = 0;
  for (;;) {
    throwIfAborted(opts.signal);
    const { bytesRead } = await readAsync(fd, buffer, 0, buffer.length, size);
    if (bytesRead === 0) return { oid: hash.digest("hex"), size };
    size += bytesRead;
    if (size > opts.maxBytes) return null;
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await opts.take?.(piece);
  }
}
