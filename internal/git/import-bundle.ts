import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf, hasCode } from "../base/index.ts";
import { readBundleHeader } from "./bundle-header.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { foreignOwner, makeFolder, type RepositoryOwner } from "./repository-owner.ts";

/** What is to be taken over. */
export interface ImportBundle {
  /** The repository's own git dir. */
  readonly gitDir: string;
  /** For messages. */
  readonly lane: string;
  /** A file of ours, whose content is the lane's. */
  readonly bundle: string;
  /** The one ref it may bring, in full, and the commit it says that is. */
  readonly ref: string;
  readonly tip: string;
  /** Commits whose whole history the repository has. */
  readonly have: readonly string[];
  /** A pack of more bytes is not taken. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Packs of fewer objects are unpacked, as `receive.unpackLimit` does: else every job would leave a pack. */
const UNPACK_LIMIT = 100;

const PACK_FOR_NOBODY = ["pack-objects", "--revs", "--sparse", "--thin", "--stdout", "-q", "--window=0"];

/** A large import on a slow disk. */
const IMPORT_TIMEOUT_MS = 5 * 60_000;

/**
 * Takes a bundle's objects into the repository. They are on probation until each one is well formed, everything they
 * refer to is there, and the tip's whole history is: then they are moved, and before that nothing of the repository
 * has changed. No ref is moved.
 * @returns its commits that none of `have` has, as {@link checkWhole} lists them
 * @throws git.refused with what is wrong; git.failed, timeout, cancelled
 */
export async function importBundle(git: HardenedGit, wanted: ImportBundle): Promise<readonly string[]> {
  const { gitDir, bundle, signal } = wanted;
  const header = await readBundleHeader(bundle);
  if (typeof header === "string") throw refused(wanted, header);
  const [ref, ...more] = header.refs;
  if (ref?.name !== wanted.ref || ref.oid !== wanted.tip || more.length > 0) {
    throw refused(
      wanted,
      `it brings ${
        header.refs
          .map(({ name }) => JSON.stringify(name))
          .join(", ")
          .slice(0, 200) || "no ref"
      }`,
    );
  }
  const objects = join(gitDir, "objects");
  // Git's own name for such a folder: its gc removes one that a crash has left.
  const dir = join(objects, `tmp_objdir-incoming-${randomBytes(6).toString("hex")}`);
  const at = { gitDir, cwd: gitDir, signal, quarantine: { dir, objects }, timeoutMs: IMPORT_TIMEOUT_MS };
  const max = `--max-input-size=${wanted.maxBytes}`;
  const unpack =
    header.objects < UNPACK_LIMIT
      ? ["unpack-objects", "-q", "--strict", max]
      : ["index-pack", "--stdin", "--fix-thin", "--strict", max];
  const owner = await foreignOwner(gitDir);
  try {
    for (const folder of [dir, join(dir, "pack")]) await makeFolder(folder, owner);
    await git({ ...at, args: unpack, stdin: createReadStream(bundle, { start: header.length }) });
    const isSmall = header.objects < UNPACK_LIMIT;
    const commits = await checkWhole(git, { ...wanted, isSmall, quarantine: at.quarantine });
    await moveObjects(dir, objects, owner);
    return commits;
  } catch (error) {
    // git itself says what is wrong with what it was given.
    if (hasCode(error, "git.failed")) throw refused(wanted, error.message, error);
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** So many commits are named; a sync may bring more. */
const COMMITS_MAX = 10_000;

/** What is to be checked. */
export interface CheckWhole {
  readonly gitDir: string;
  readonly tip: string;
  /** Commits whose whole history is there. */
  readonly have: readonly string[];
  /** Only a few objects are not in the history of `have`. */
  readonly isSmall: boolean;
  readonly quarantine?: { readonly dir: string; readonly objects: string } | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes sure that `tip` is a commit whose whole history is in the repository. Git only walks through all of history's
 * newest trees to tell what is new; with a few new objects beyond `have` it is faster to have them packed, for nobody,
 * since that looks at changed folders alone: 3 ms instead of 50 with 50 000 files.
 * @returns its commits that none of `have` has, newest first, at most {@link COMMITS_MAX}
 * @throws git.failed when it is not
 */
export async function checkWhole(git: HardenedGit, wanted: CheckWhole): Promise<readonly string[]> {
  const { gitDir, signal, tip, have, quarantine } = wanted;
  const at = { gitDir, cwd: gitDir, signal, quarantine, timeoutMs: IMPORT_TIMEOUT_MS };
  const walk =
    wanted.isSmall && have.length > 0
      ? git({ ...at, args: PACK_FOR_NOBODY, stdin: `${[tip, "--not", ...have].join("\n")}\n`, discard: true })
      : git({ ...at, args: ["rev-list", "--objects", "--quiet", tip, "--not", "--all", "--"] });
  const list = git({ ...at, args: ["rev-list", `--max-count=${COMMITS_MAX}`, tip, "--not", ...have, "--"] });
  const [{ stdout }] = await Promise.all([list, walk]);
  const commits = stdout.split("\n").filter((line) => line !== "");
  // It comes first, unless it is a tag, whose commit is listed, or has nothing new.
  if (commits[0] !== tip) await demandCommit(git, wanted);
  return commits;
}

async function demandCommit(git: HardenedGit, { gitDir, signal, tip, quarantine }: CheckWhole): Promise<void> {
  const { stdout } = await git({ gitDir, cwd: gitDir, signal, quarantine, args: ["cat-file", "-t", tip] });
  if (stdout !== "commit") throw new AppError({ code: "git.failed", message: `${tip} is a ${stdout}, not a commit` });
}

/** Gives the files of `from` a second name below `to`, as they are; whatever is there already is the same by its name. */
async function moveObjects(from: string, to: string, owner: RepositoryOwner | null): Promise<void> {
  for (const entry of (await readdir(from, { withFileTypes: true })).sort(indexLast)) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      await makeFolder(target, owner);
      await moveObjects(source, target, owner);
    } else {
      await link(source, target).catch((caught: unknown) => {
        if (errnoOf(caught) !== "EEXIST") throw caught;
      });
    }
  }
}

/** A pack is there for others once its index is. */
function indexLast(a: { readonly name: string }, b: { readonly name: string }): number {
  return Number(a.name.endsWith(".idx")) - Number(b.name.endsWith(".idx"));
}

function refused(wanted: ImportBundle, why: string, cause?: unknown): AppError {
  return new AppError({
    code: "git.refused",
    message: `the commits of lane ${wanted.lane} were not taken over: ${why}`,
    hint: "look at the branch in the lane: lane exec <lane> -- git fsck",
    ...(cause === undefined ? {} : { cause }),
  });
}
