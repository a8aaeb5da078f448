import type { AppError } from "../base/index.ts";
import { toError } from "../base/index.ts";
import type { Style } from "./style.ts";
import { toPlain } from "./text.ts";

/** Longest list of a refusal's details printed in full. */
const LIST_MAX = 20;

/**
 * An error for people: what happened, the facts that help (lists of what would be lost, last log lines), the next
 * step. `verbose` adds the chain of causes.
 */
export function renderError(
  error: AppError,
  opts: { readonly style: Style; readonly verbose: boolean },
): readonly string[] {
  const { style } = opts;
  const lines = [`${style.red("error:")} ${toPlain(error.message)}`];
  for (const [name, value] of Object.entries(error.details)) lines.push(...renderList(name, value));
  if (error.hint !== undefined) lines.push(`${style.bold("next:")}  ${toPlain(error.hint)}`);
  if (opts.verbose) {
    lines.push(style.dim(`code:  ${error.code} (${error.retry})`));
    for (let cause = error.cause, depth = 0; cause !== undefined && depth < 5; depth++) {
      const one = toError(cause);
      lines.push(style.dim(`cause: ${toPlain(one.message)}`));
      cause = one.cause;
    }
  }
  return lines;
}

function renderList(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === "string")) return [];
  const shown = value.slice(0, LIST_MAX).map((item) => `  ${toPlain(item)}`);
  const more = value.length - shown.length;
  return [`${toWords(name)}:`, ...shown, ...(more > 0 ? [`  … and ${more} more`] : [])];
}

/** `uncommittedPaths` as `uncommitted paths`. */
function toWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll("_", " ");
}
