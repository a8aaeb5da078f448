/** How bad it is: `fail` stops lanes from working, `warn` is worth a look. */
export type CheckLevel = "ok" | "warn" | "fail";

/** One finding of `lane doctor`. */
export interface Check {
  /** Stable word for scripts, as `podman.version`. */
  readonly id: string;
  readonly title: string;
  readonly level: CheckLevel;
  /** What was seen, one line. */
  readonly detail: string;
  /** What to do, one line; `null` when all is well. */
  readonly fix: string | null;
  /** Everything behind the line, for `--json`. */
  readonly notes?: readonly string[];
}

/** Makes a check that passed. */
export function ok(id: string, title: string, detail: string, notes?: readonly string[]): Check {
  return { id, title, level: "ok", detail, fix: null, ...(notes && notes.length > 0 ? { notes } : {}) };
}

/** Makes a check worth a look. */
export function warn(id: string, title: string, detail: string, fix: string): Check {
  return { id, title, level: "warn", detail, fix };
}

/** Makes a check that stops lanes from working. */
export function fail(id: string, title: string, detail: string, fix: string): Check {
  return { id, title, level: "fail", detail, fix };
}

/** The first three numbers of a version text: `git version 2.39.5` is `[2, 39, 5]`; missing ones are 0. */
export function parseVersion(text: string): readonly [number, number, number] {
  const match = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0), Number(match?.[3] ?? 0)];
}

/** Is `version` the same as or newer than `minimum`? */
export function isAtLeast(version: string, minimum: string): boolean {
  const [a, b] = [parseVersion(version), parseVersion(minimum)];
  for (let i = 0; i < 3; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    if (x !== y) return x > y;
  }
  return true;
}

/** Bytes for people: `512 MiB`, `1.5 GiB`. */
export function renderBytes(bytes: number): string {
  const gib = bytes / 1024 ** 3;
  return gib >= 1 ? `${gib.toFixed(gib < 10 ? 1 : 0)} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
}
