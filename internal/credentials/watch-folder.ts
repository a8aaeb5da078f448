import { lstat, stat } from "node:fs/promises";
import { type FSWatcher, watch } from "chokidar";
import { systemClock, toError } from "../base/index.ts";

/** Changes that come together are one: writers make several of them for one file. */
const DEBOUNCE_MS = 100;
/** Changes without end are looked at now and then all the same. */
const DEBOUNCE_MAX_MS = 500;
/** Watching an absent folder, or one that is replaced as a whole, is what watchers are bad at: it is looked for. */
const LOOK_EVERY_MS = 1000;
/** Watches can be lost and run out; what is read is the truth, so it is read again after so many looks. */
const LOOKS_PER_READ = 5;
/** Beyond so many entries it is no credential folder: the rest is not watched. */
const ENTRIES_MAX = 512;

/** How a folder is watched. */
export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Path of the one file of the folder that matters; links are followed then, and nothing below is looked at. */
  readonly only?: string | undefined;
  /** Changes may now come some seconds late. */
  readonly onError?: ((error: Error) => void) | undefined;
}

/**
 * Calls `onChange` whenever something in the folder may have changed: it appeared, was replaced or vanished, or an entry
 * at any depth did. Also calls it now and then without a reason. Resolves once the signal aborts, with nothing left open.
 */
export async function watchCredentialFolder(dir: string, onChange: () => void, opts: WatchOptions): Promise<void> {
  const { signal, only } = opts;
  const changed = debounce(onChange, signal);
  let watcher: FSWatcher | null = null;
  let identity: string | null = null;
  for (let looks = 1; !signal.aborted; looks++) {
    const now = await identityOf(dir, only === undefined ? lstat : stat);
    if (now !== identity) {
      identity = now;
      await watcher?.close();
      watcher = now === null ? null : open(dir, changed, opts);
      changed();
    } else if (looks % LOOKS_PER_READ === 0) changed();
    await systemClock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined);
  }
  await watcher?.close();
}

function open(dir: string, changed: () => void, { only, onError }: WatchOptions): FSWatcher {
  const known = new Set<string>();
  const isTooMany = (path: string) => {
    if (known.size < ENTRIES_MAX) known.add(path);
    return !known.has(path);
  };
  const watcher = watch(dir, {
    ignored: only === undefined ? isTooMany : (path) => path !== dir && path !== only,
    ignoreInitial: true,
    ignorePermissionErrors: true,
    followSymlinks: only !== undefined,
    atomic: false,
  });
  // Ready: what changed while it was getting so is seen too.
  watcher.on("ready", changed).on("error", (caught) => onError?.(toError(caught)));
  watcher.on("all", (event, path) => {
    if (event === "unlink" || event === "unlinkDir") known.delete(path);
    changed();
  });
  return watcher;
}

/** Which folder stands at the path. Its number alone is soon used again. */
async function identityOf(dir: string, look: typeof lstat | typeof stat): Promise<string | null> {
  const seen = await look(dir, { bigint: true }).catch(() => null);
  return seen?.isDirectory() ? `${seen.dev}:${seen.ino}:${seen.birthtimeNs}` : null;
}

function debounce(fn: () => void, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | null = null;
  let firstMs = 0;
  const fire = () => {
    timer = null;
    if (!signal.aborted) fn();
  };
  return () => {
    const nowMs = systemClock.monotonicMs();
    if (timer === null) firstMs = nowMs;
    else clearTimeout(timer);
    timer = setTimeout(fire, Math.min(DEBOUNCE_MS, Math.max(0, firstMs + DEBOUNCE_MAX_MS - nowMs)));
    timer.unref();
  };
}
