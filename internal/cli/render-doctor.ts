import type { RenderOptions, Style } from "./style.ts";
import { plural, toPlain, wrap } from "./text.ts";

/** One finding, as `laned doctor --json` prints it. */
export interface DoctorCheck {
  readonly id: string;
  readonly title: string;
  readonly level: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly fix: string | null;
}

/** The answer of `laned doctor --json`. */
export interface DoctorAnswer {
  readonly ok: boolean;
  readonly checks: readonly DoctorCheck[];
  readonly repairs: readonly string[];
}

/** Reads the answer; `null` when it is none. Both programs are of one build, so a look at its outline will do. */
export function parseDoctorAnswer(text: string): DoctorAnswer | null {
  try {
    const value: unknown = JSON.parse(text);
    return isAnswer(value) ? value : null;
  } catch {
    return null;
  }
}

function isAnswer(value: unknown): value is DoctorAnswer {
  if (typeof value !== "object" || value === null || !("ok" in value && "checks" in value && "repairs" in value))
    return false;
  return typeof value.ok === "boolean" && Array.isArray(value.checks) && Array.isArray(value.repairs);
}

const LEVEL_WIDTH = 6;

/** A line per check, the fix below the ones that need it, a summary at the end. */
export function renderDoctor(answer: DoctorAnswer, opts: RenderOptions): readonly string[] {
  const titleWidth = Math.max(0, ...answer.checks.map(({ title }) => title.length)) + 2;
  const indent = " ".repeat(LEVEL_WIDTH + titleWidth);
  const room = opts.width === undefined ? Number.POSITIVE_INFINITY : Math.max(20, opts.width - indent.length);
  const hang = (text: string) => wrap(toPlain(text), room).join(`\n${indent}`);
  const lines = answer.checks.flatMap(({ title, level, detail, fix }) => {
    const word = paintLevel(level, opts.style)(level.padEnd(LEVEL_WIDTH));
    const head = `${word}${title.padEnd(titleWidth)}${hang(detail)}`;
    return fix === null ? [head] : [head, `${indent}${hang(`fix: ${fix}`)}`];
  });
  const count = (level: DoctorCheck["level"]) => answer.checks.filter((check) => check.level === level).length;
  const summary = answer.ok
    ? `no check failed, ${plural(count("warn"), "warning")}`
    : `${plural(count("fail"), "check")} failed, ${plural(count("warn"), "warning")}`;
  return [...answer.repairs, ...lines, "", summary];
}

function paintLevel(level: DoctorCheck["level"], style: Style): (text: string) => string {
  if (level === "ok") return style.green;
  return level === "warn" ? style.yellow : style.red;
}
