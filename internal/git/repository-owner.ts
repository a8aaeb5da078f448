import { lchown, mkdir, readFile, stat } from "node:fs/promises";

/** Who owns a repository that we, as root, work on. */
export interface RepositoryOwner {
  readonly uid: number;
  readonly gid: number;
  /** Their home, with their git configuration in it. */
  readonly home: string;
}

/** Where an account without a home would have its configuration: nowhere. */
const NO_HOME = "/nonexistent";

/**
 * The owner of `folder` when git has to run as them: we are root and they are not. Root's git would leave objects and
 * refs that they could not change, and would trust a repository that is theirs. Null when git runs as we do.
 */
export async function foreignOwner(folder: string): Promise<RepositoryOwner | null> {
  if (process.getuid?.() !== 0) return null;
  const found = await stat(folder).catch(() => null);
  if (found === null || found.uid === 0) return null;
  return { uid: found.uid, gid: found.gid, home: await homeOf(found.uid) };
}

/** Makes a folder, and those above it, for the owner of a repository. One that is there already stays as it is. */
export async function makeFolder(path: string, owner: RepositoryOwner | null): Promise<void> {
  const made = await mkdir(path, { recursive: true });
  // Not followed, should the owner have put a link in its place meanwhile.
  if (made !== undefined && owner !== null) await lchown(path, owner.uid, owner.gid);
}

async function homeOf(uid: number): Promise<string> {
  const accounts = await readFile("/etc/passwd", "utf8").catch(() => "");
  const fields = accounts.split("\n").map((line) => line.split(":"));
  return fields.find(([, , id]) => id === String(uid))?.[5] || NO_HOME;
}
