import { execa } from "execa";

/** How much room a folder takes. */
export interface DiskUse {
  /** Null: nothing of it could be measured in time. */
  readonly bytes: number | null;
  /** Some of it could not be read: it is at least this. */
  readonly partial: boolean;
}

/**
 * Measures what a folder takes on its file system, links counted as themselves. Meant for folders that a lane writes:
 * whatever is in them, it ends after `withinMs`. Never rejects but for the signal.
 */
export async function measureFolder(
  path: string,
  opts: { readonly withinMs: number; readonly signal?: AbortSignal | undefined },
): Promise<DiskUse> {
  const done = await execa("du", ["-sx", "--block-size=1", "--", path], {
    reject: false,
    timeout: opts.withinMs,
    killSignal: "SIGKILL",
    stdin: "ignore",
    env: { LC_ALL: "C" },
    ...(opts.signal ? { cancelSignal: opts.signal } : {}),
  });
  opts.signal?.throwIfAborted();
  const bytes = /^(\d+)\t/.exec(done.stdout)?.[1];
  return { bytes: bytes === undefined ? null : Number(bytes), partial: done.exitCode !== 0 };
}
