import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CredentialFile } from "../../protocol/index.ts";

/** What is to be read. Paths are relative to `home`, and checked by whoever gives the order. */
export interface ReadOrder {
  readonly home: string;
  readonly read: readonly string[];
}

/** What was there. */
export interface ReadAnswer {
  readonly kind: "ok";
  readonly files: readonly CredentialFile[];
}

/** No login file is near this size. */
const FILE_MAX_BYTES = 32 * 1024;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Reads plain files below the agent's home. Like placing them, it is done by a process of the agent's own user: what it
 * could be led to is what the agent may read by itself. What is not there, empty, too large or no plain file is left out.
 */
export function readPlaced({ home, read }: ReadOrder): ReadAnswer {
  const files = read.flatMap((path): CredentialFile[] => {
    const content = readPlain(join(home, path));
    return content === null ? [] : [{ path, base64: content.toString("base64") }];
  });
  return { kind: "ok", files };
}

function readPlain(path: string): Buffer | null {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const { mode, size } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG || size === 0 || size > FILE_MAX_BYTES) return null;
    const content = readFileSync(fd);
    return content.length > FILE_MAX_BYTES ? null : content;
  } finally {
    closeSync(fd);
  }
}
