/**
 * A line of the worker's log for people: `14:53:16 info attempt started attempt=01m…/1`. Every other line as it is.
 */
export function toLogLine(line: string): string {
  const { time, level, msg, ...rest } = parse(line);
  if (typeof time !== "string" || typeof level !== "string" || typeof msg !== "string") return line;
  const facts = Object.entries(rest).map(([name, value]) => `${name}=${wordOf(value)}`);
  return [time.slice(11, 19), level, msg, ...facts].join(" ");
}

function parse(line: string): Readonly<Record<string, unknown>> {
  if (!line.startsWith("{")) return {};
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function wordOf(value: unknown): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
