import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { GuideEntry } from "../../agents/index.ts";
import { AppError, errnoOf, toError } from "../../base/index.ts";
import { BOOT_GUIDE, type Lane } from "../../lane/index.ts";
import type { GuideFile } from "./read-skills.ts";

/** What a guide's folder is to hold. */
export interface Guide {
  readonly instructions: string;
  /** Below `skills/`. */
  readonly skills: readonly GuideFile[];
  /** What the agents look for. */
  readonly entries: readonly GuideEntry[];
}

/**
 * Puts a guide in force in the lane's bootstrap folder, which a container that runs sees at once: as a whole, by one
 * rename of the link `guide`. What was in force before stays for whoever still reads it; what was before that goes.
 * Nothing is written when it is in force already. One call at a time for a lane. @throws store.full, store.failed, lane.not_ready
 */
export async function placeGuide(lane: Lane, folder: string, guide: Guide): Promise<void> {
  const name = `${BOOT_GUIDE}-${digestOf(guide)}`;
  const link = join(folder, BOOT_GUIDE);
  try {
    // A folder that we made now would not be the one that the container has.
    await stat(folder);
    const before = await readlink(link).catch(() => null);
    if (before === name) return;
    const draft = `${link}.new`;
    await rm(draft, { recursive: true, force: true });
    await writeTree(draft, guide);
    await rename(draft, join(folder, name)).catch((caught) => dropDraft(draft, caught));
    await symlink(name, draft);
    await rename(draft, link);
    const keep = new Set([BOOT_GUIDE, name, before]);
    const old = (await readdir(folder)).filter((one) => one.startsWith(BOOT_GUIDE) && !keep.has(one));
    await Promise.all(old.map((one) => rm(join(folder, one), { recursive: true, force: true })));
  } catch (caught) {
    throw placingError(lane, folder, caught);
  }
}

/** That very guide was left there by an earlier change, which is as good. */
async function dropDraft(draft: string, caught: unknown): Promise<void> {
  if (errnoOf(caught) !== "ENOTEMPTY" && errnoOf(caught) !== "EEXIST") throw toError(caught);
  await rm(draft, { recursive: true });
}

async function writeTree(root: string, { instructions, skills, entries }: Guide): Promise<void> {
  const folders = new Set([root, join(root, "skills")]);
  const write = async (path: string, content: string | Buffer, mode: number) => {
    const file = join(root, path);
    for (let dir = dirname(file); !folders.has(dir); dir = dirname(dir)) folders.add(dir);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    // Whatever our umask is, the agent reads them; whoever is not in the lane cannot come here.
    await chmod(file, mode);
  };
  await mkdir(join(root, "skills"), { recursive: true });
  await write("instructions.md", instructions, 0o444);
  for (const { path, content, executable } of skills) await write(path, content, executable ? 0o555 : 0o444);
  for (const entry of entries) {
    if ("text" in entry) await write(entry.path, entry.text, 0o444);
    else {
      const at = join(root, entry.path);
      for (let dir = dirname(at); !folders.has(dir); dir = dirname(dir)) folders.add(dir);
      await mkdir(dirname(at), { recursive: true });
      await symlink(entry.link, at);
    }
  }
  for (const dir of folders) await chmod(dir, 0o755);
}

function digestOf({ instructions, skills, entries }: Guide): string {
  const hash = createHash("sha256").update(JSON.stringify([instructions, entries, skills.map(toHead)]));
  for (const { content } of skills) hash.update(content);
  return hash.digest("hex").slice(0, 16);
}

const toHead = ({ path, content, executable }: GuideFile) => [path, content.length, executable];

function placingError(lane: Lane, folder: string, caught: unknown): AppError {
  if (errnoOf(caught) === "ENOENT") {
    return new AppError({
      code: "lane.not_ready",
      message: `lane ${lane.name}: its bootstrap folder ${folder} is gone`,
      hint: `have its container made anew: lane recreate ${lane.name}`,
    });
  }
  const full = errnoOf(caught) === "ENOSPC";
  return new AppError({
    code: full ? "store.full" : "store.failed",
    message: `lane ${lane.name}: its instructions cannot be written to ${folder}: ${toError(caught).message}`,
    hint: full ? "free space there, or choose fewer skills" : "check the folder's permissions",
    cause: caught,
  });
}
