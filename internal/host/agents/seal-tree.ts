import { createHash } from "node:crypto";
import { chmod, lstat, open, readdir, readlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { AppError, throwIfAborted } from "../../base/index.ts";

/** Digest of a whole tree, and the sum of its files' sizes. */
export interface TreeSeal {
  /** Over path, mode, size and content of every entry in the order of their paths, hex SHA-256. */
  readonly sha256: string;
  readonly bytes: number;
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Makes a tree's files read-only for everyone and all of it readable by every user (a lane's agent is another one),
 * forces them to the disk and measures them. Set-uid bits are taken away. Folders stay writable by their owner, so that
 * a plain `rm -r` removes it.
 * @throws agent.install_failed for anything but files, folders and links
 */
export async function sealTree(root: string, opts: { readonly signal?: AbortSignal | undefined }): Promise<TreeSeal> {
  const whole = createHash("sha256");
  let bytes = 0;
  const note = (...facts: readonly (string | number)[]) => whole.update(`${facts.join("\0")}\n`);
  async function walk(path: string): Promise<void> {
    throwIfAborted(opts.signal);
    const name = relative(root, path);
    const stat = await lstat(path);
    if (stat.isSymbolicLink()) {
      note("link", name, await readlink(path));
    } else if (stat.isDirectory()) {
      for (const entry of (await readdir(path)).sort()) await walk(join(path, entry));
      await chmod(path, 0o755);
      note("folder", name);
    } else if (stat.isFile()) {
      const mode = (stat.mode & 0o111) === 0 ? 0o444 : 0o555;
      const content = await sealFile(path, mode);
      bytes += content.bytes;
      note("file", name, mode, content.bytes, content.sha256);
    } else {
      throw new AppError({
        code: "agent.install_failed",
        message: `${name} is neither a file nor a folder nor a link`,
        hint: "install another version",
      });
    }
  }
  await walk(root);
  return { sha256: whole.digest("hex"), bytes };
}

async function sealFile(path: string, mode: number): Promise<TreeSeal> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  const file = await open(path, "r");
  try {
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    await file.chmod(mode);
    await file.sync();
    return { sha256: hash.digest("hex"), bytes };
  } finally {
    await file.close();
  }
}
