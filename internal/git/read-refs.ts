import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/index.ts";

/** Refs of a repository, by their full names. */
export type Refs = ReadonlyMap<string, string>;

/** Larger files are no refs. */
const PACKED_MAX_BYTES = 8 * 1024 * 1024;

/**
 * The named refs and all tags, read without git: a start has no time for its processes. Only for repositories that keep
 * refs in files. A ref that names another one is left out.
 */
export async function readRefs(gitDir: string, names: readonly string[]): Promise<Refs> {
  const [packed, tags] = await Promise.all([readText(join(gitDir, "packed-refs")), listTags(gitDir, "refs/tags")]);
  const refs = new Map<string, string>();
  for (const line of packed.slice(0, PACKED_MAX_BYTES).split("\n")) {
    const [, oid, name] = /^([0-9a-f]{40,64}) (refs\/.+)$/.exec(line) ?? [];
    if (oid && name && (names.includes(name) || name.startsWith("refs/tags/"))) refs.set(name, oid);
  }
  // A loose ref is newer than a packed one.
  await Promise.all(
    [...names, ...tags].map(async (name) => {
      const oid = /^([0-9a-f]{40,64})\n?$/.exec(await readText(join(gitDir, name)))?.[1];
      if (oid) refs.set(name, oid);
    }),
  );
  return refs;
}

async function listTags(gitDir: string, prefix: string): Promise<readonly string[]> {
  const entries = await readdir(join(gitDir, prefix), { withFileTypes: true }).catch(() => []);
  const found = entries.map(async (entry) => {
    const name = `${prefix}/${entry.name}`;
    return entry.isDirectory() ? listTags(gitDir, name) : entry.name.endsWith(".lock") ? [] : [name];
  });
  return (await Promise.all(found)).flat();
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (caught) {
    const errno = errnoOf(caught);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "EISDIR") return "";
    throw caught;
  }
}
