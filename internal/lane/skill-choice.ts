import { AppError } from "../base/index.ts";

/** Which of the host's skills a lane's agents get: all that are there at each job's start, or these. */
export type SkillChoice = "all" | readonly string[];

/** Could this be a skill's folder? */
export function isSkillName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name);
}

/** Reads `all`, `none` or names with commas between them. @throws usage.invalid */
export function parseSkillChoice(text: string): SkillChoice {
  if (text === "all") return "all";
  if (text === "none") return [];
  const names = text.split(",").map((name) => name.trim());
  const bad = names.find((name) => !isSkillName(name));
  if (bad === undefined) return [...new Set(names)];
  throw new AppError({
    code: "usage.invalid",
    message: `not a skill's name: ${JSON.stringify(bad)}`,
    hint: "write all, none, or names of folders with commas between them",
  });
}
