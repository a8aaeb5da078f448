import type { ImageBuilder } from "../../podman/index.ts";
import type { CallOptions } from "../../supervisor/index.ts";

/** What is known of what lanes want. */
interface SweepDeps {
  readonly install: string;
  /** Does a lane want it, or is that not known of one yet? */
  readonly isWanted: (name: string) => boolean;
  /** An image has no name yet while it is being made. */
  readonly isMaking: () => boolean;
  /** Monotonic. */
  readonly nowMs: () => number;
}

/** Removes images that were wanted by nobody for `graceMs` and that no container uses; what went. */
type ImageSweep = (
  builder: Pick<ImageBuilder, "list" | "remove">,
  graceMs: number,
  opts: CallOptions,
) => Promise<readonly string[]>;

/** See {@link ImageSweep}; remembers since when each was seen to be wanted by nobody. */
export function createImageSweep(deps: SweepDeps): ImageSweep {
  const sinceMs = new Map<string, number>();
  const isRipe = (id: string, name: string | null, graceMs: number): boolean => {
    if (name === null) return !deps.isMaking();
    const now = deps.nowMs();
    if (deps.isWanted(name)) sinceMs.delete(id);
    else if (!sinceMs.has(id)) sinceMs.set(id, now);
    const since = sinceMs.get(id);
    return since !== undefined && now - since >= graceMs;
  };
  return async (builder, graceMs, opts) => {
    const gone: string[] = [];
    for (const { id, name } of await builder.list(deps.install, opts)) {
      if (!isRipe(id, name, graceMs) || !(await builder.remove(id, opts))) continue;
      sinceMs.delete(id);
      gone.push(name ?? id);
    }
    return gone;
  };
}
