/** So many calls may be open at once before the oldest are forgotten. */
const OPEN_MAX = 1000;

/** Which file a tool call under way is going to change, until its result says whether it did. */
export interface OpenEdits {
  readonly add: (call: string, path: string) => void;
  /** Forgets the call and returns its file; null for a call that changes none. */
  readonly take: (call: string) => string | null;
}

/** See {@link OpenEdits}. */
export function newOpenEdits(): OpenEdits {
  const paths = new Map<string, string>();
  return {
    add(call, path) {
      paths.set(call, path);
      const oldest = paths.size > OPEN_MAX ? paths.keys().next().value : undefined;
      if (oldest !== undefined) paths.delete(oldest);
    },
    take(call) {
      const path = paths.get(call) ?? null;
      paths.delete(call);
      return path;
    },
  };
}
