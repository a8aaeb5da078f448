import { AppError } from "./errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses `500ms 10s 5m 2h 1d` to milliseconds. @throws usage.invalid */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  const unit = match?.[2] === undefined ? undefined : UNIT_MS[match[2]];
  if (match?.[1] === undefined || unit === undefined) {
    throw new AppError({
      code: "usage.invalid",
      message: `not a duration: ${JSON.stringify(text)}`,
      hint: "write a number and a unit, as in 500ms, 10s, 5m, 2h or 1d",
    });
  }
  return Math.round(Number(match[1]) * unit);
}

/** A span of milliseconds for people: `850ms`, `12s`, `5m`, `3h`, `2d`. */
export function renderDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 90_000) return `${Math.round(ms / 1000)}s`;
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)}m`;
  if (ms < 36 * 3_600_000) return `${Math.round(ms / 3_600_000)}h`;
  return `${Math.round(ms / 86_400_000)}d`;
}
