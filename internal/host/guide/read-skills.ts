import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf, toError } from "../../base/index.ts";
import { isSkillName, type SkillChoice } from "../../lane/index.ts";

/** A file of a guide. */
export interface GuideFile {
  /** Relative to the guide's folder. */
  readonly path: string;
  readonly content: Buffer;
  readonly executable: boolean;
}

/** What all skills of a lane together may be: they are read at each prompt, and copied into memory for each lane. */
export const SKILL_LIMITS = { files: 1000, bytes: 8 * 1024 * 1024, depth: 8 } as const;

/**
 * The files of the chosen skills below `dir`, as `skills/NAME/...`, in a fixed order. A skill is a folder with a
 * `SKILL.md`; links are followed, hidden entries are left out. @throws config.invalid
 */
export async function readSkills(dir: string, choice: SkillChoice): Promise<readonly GuideFile[]> {
  const there = await listSkills(dir);
  const missing = choice === "all" ? undefined : choice.find((name) => !there.includes(name));
  if (missing !== undefined) {
    throw new AppError({
      code: "config.invalid",
      message: `there is no skill ${missing}: ${join(dir, missing)} has no SKILL.md`,
      hint: "put it there, or choose others: lane set <lane> skills=all, or the setting skills",
    });
  }
  const files: GuideFile[] = [];
  const names = choice === "all" ? there : there.filter((name) => choice.includes(name));
  const room = { files: SKILL_LIMITS.files, bytes: SKILL_LIMITS.bytes };
  try {
    for (const name of names) await readFolder(join(dir, name), `skills/${name}`, { files, room, depth: 1 });
  } catch (caught) {
    throw toReadError(dir, caught);
  }
  return files;
}

async function listSkills(dir: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(dir)).filter(isSkillName).sort();
    const isSkill = await Promise.all(names.map((name) => hasFile(join(dir, name, "SKILL.md"))));
    return names.filter((_, index) => isSkill[index]);
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT") return [];
    throw toReadError(dir, caught);
  }
}

async function hasFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (caught) {
    if (errnoOf(caught) === "ENOENT" || errnoOf(caught) === "ENOTDIR") return false;
    throw toError(caught);
  }
}

interface Reading {
  readonly files: GuideFile[];
  /** What may still come. */
  readonly room: { files: number; bytes: number };
  readonly depth: number;
}

async function readFolder(from: string, to: string, { files, room, depth }: Reading): Promise<void> {
  if (depth > SKILL_LIMITS.depth) throw tooMuch(from, `folders ${SKILL_LIMITS.depth} deep`);
  for (const name of (await readdir(from)).sort()) {
    if (name.startsWith(".")) continue;
    const path = join(from, name);
    const seen = await stat(path);
    if (seen.isDirectory()) await readFolder(path, `${to}/${name}`, { files, room, depth: depth + 1 });
    if (!seen.isFile()) continue;
    room.files -= 1;
    room.bytes -= seen.size;
    if (room.files < 0) throw tooMuch(from, `${SKILL_LIMITS.files} files`);
    if (room.bytes < 0) throw tooMuch(path, `${SKILL_LIMITS.bytes} bytes`);
    files.push({ path: `${to}/${name}`, content: await readFile(path), executable: (seen.mode & 0o100) !== 0 });
  }
}

function tooMuch(where: string, limit: string): AppError {
  return new AppError({
    code: "config.invalid",
    message: `the skills are more than ${limit}: it is too much at ${where}`,
    hint: "keep large files elsewhere, or choose fewer skills: lane set <lane> skills=a,b",
  });
}

function toReadError(dir: string, caught: unknown): AppError {
  if (caught instanceof AppError) return caught;
  return new AppError({
    code: "config.invalid",
    message: `the skills in ${dir} cannot be read: ${toError(caught).message}`,
    hint: "make all of their files readable for the user of laned, or remove what is broken there",
    cause: caught,
  });
}
