import { lchown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { foreignOwner } from "./repository-owner.ts";

/** A folder of ours in which git works instead of in the repository; git's process owns it. */
export interface Scratch extends AsyncDisposable {
  readonly dir: string;
  /** For an index. */
  readonly index: string;
  /** For the files that an index is brought up to date with. */
  readonly tree: string;
  /** New objects go here; the repository's own are read beside them. */
  readonly quarantine: { readonly dir: string; readonly objects: string };
}

/**
 * Makes one for a repository. It is below `parent`, which is made when it is not there; or where everybody can reach it,
 * when git has to run as the repository's owner.
 */
export async function makeScratch(gitDir: string, parent: string): Promise<Scratch> {
  const owner = await foreignOwner(gitDir);
  const root = owner === null ? parent : tmpdir();
  await mkdir(root, { recursive: true, mode: 0o700 });
  const dir = await mkdtemp(join(root, "lanekeeper-diff-"));
  const objects = join(dir, "objects");
  const tree = join(dir, "tree");
  await Promise.all([mkdir(objects), mkdir(tree)]);
  if (owner !== null) await Promise.all([dir, objects, tree].map((path) => lchown(path, owner.uid, owner.gid)));
  return {
    dir,
    index: join(dir, "index"),
    tree,
    quarantine: { dir: objects, objects: join(gitDir, "objects") },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
