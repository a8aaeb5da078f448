const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };
const DAY_MS = 86_400_000;

/** No limit is believed to last longer: what is said comes from a text. */
const LONGEST_MS = 32 * DAY_MS;

/** "retry in 47.5s", "reset after 3h12m5s", "try again in 2 days 3 hours" in a message, as a time; null without one. */
export function parseWait(message: string, nowMs: number): number | null {
  const found = /(?:retry|again|resets?)\s+(?:in|after)\s+((?:\d+(?:\.\d+)?\s{0,2}[dhms][a-z]{0,7}[\s,]{0,2})+)/i.exec(
    message,
  );
  if (!found?.[1]) return null;
  let ms = 0;
  for (const [, count, unit] of found[1].matchAll(/(\d+(?:\.\d+)?)\s*(ms|[dhms])/gi)) {
    ms += Number(count) * (unit?.toLowerCase() === "ms" ? 1 : (UNIT_MS[unit?.toLowerCase() ?? ""] ?? 0));
  }
  return ms > 0 && ms <= LONGEST_MS ? nowMs + Math.ceil(ms) : null;
}

/**
 * "try again at 1:35 AM", "try again at Nov 25th, 2026 1:35 AM" in a message, as a time; null without one. It has no
 * zone: UTC is taken, as in most containers. A clock time alone is the next one after `nowMs`.
 */
export function parseClockTime(message: string, nowMs: number): number | null {
  const found =
    /again at (?:([A-Z][a-z]{2})[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})[, ]+)?(\d{1,2}):(\d{2})\s?([AP])M/i.exec(
      message,
    );
  if (!found) return null;
  const [, month, day, year, hour, minute, half] = found;
  const clockMs = (((Number(hour) % 12) + (half?.toUpperCase() === "P" ? 12 : 0)) * 60 + Number(minute)) * 60_000;
  const midnight = month ? Date.parse(`${day} ${month} ${year} 00:00:00 GMT`) : nowMs - (nowMs % DAY_MS);
  const atMs = midnight + clockMs;
  const next = !month && atMs <= nowMs ? atMs + DAY_MS : atMs;
  return next > nowMs && next - nowMs <= LONGEST_MS ? next : null;
}
