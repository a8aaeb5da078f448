import { type AppError, systemClock, TaskGroup, toAppError } from "../base/index.ts";
import type { CredentialSet } from "./credential-set.ts";
import { readCredentialFolder } from "./read-folder.ts";
import { watchCredentialFolder } from "./watch-folder.ts";

/** What is known of a credential folder. */
export type FolderState =
  /** There are files to deliver; or none, and then `set` is empty. */
  | { readonly kind: "usable"; readonly set: CredentialSet }
  /** It cannot be used as it is. `last`: what it held when it could, since this source was opened. */
  | { readonly kind: "refused"; readonly error: AppError; readonly last: CredentialSet | null };

/** A credential folder, kept in sight. */
export interface CredentialSource extends AsyncDisposable {
  readonly folder: string;
  readonly state: FolderState;
}

/** What a source tells. */
export interface SourceEvents {
  /** The folder's content is another one, or it cannot be used for another reason. Never for nothing. */
  readonly changed: (state: FolderState) => void;
  /** Watching has failed in part: changes may come some seconds late. */
  readonly degraded: (error: Error) => void;
}

/** Longer than a small file takes to be written. */
const LOOK_AGAIN_MS = 150;

/** Opens a source: the folder has been read once, or refused, when this resolves. */
export async function openCredentialSource(folder: string, on: SourceEvents): Promise<CredentialSource> {
  const ended = new AbortController();
  const { signal } = ended;
  let state = await observeFolder(folder, null, signal);
  let reading = false;
  let readAgain = false;
  const tasks = new TaskGroup((_, error) => on.degraded(error));
  const read = async () => {
    do {
      readAgain = false;
      const next = await observeFolder(folder, state, signal);
      if (signal.aborted) return;
      const isNew = !isSame(state, next);
      state = next;
      if (isNew) on.changed(next);
    } while (readAgain);
  };
  const reread = () => {
    readAgain = true;
    if (reading) return;
    reading = true;
    tasks.run("read", () =>
      read().finally(() => {
        reading = false;
      }),
    );
  };
  tasks.run("watch", () => watchCredentialFolder(folder, reread, { signal, onError: on.degraded }));
  return {
    folder,
    get state() {
      return state;
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await tasks.close();
    },
  };
}

/** What lanes are to have: null when the folder is refused and never was usable. */
export function setOf(state: FolderState): CredentialSet | null {
  return state.kind === "usable" ? state.set : state.last;
}

/**
 * A refusal is only believed when it is seen twice: files are emptied before they are written anew, and vanish while
 * they are replaced.
 */
async function observeFolder(folder: string, before: FolderState | null, signal: AbortSignal): Promise<FolderState> {
  const refused = (caught: unknown): FolderState => {
    return { kind: "refused", error: toAppError(caught), last: before === null ? null : setOf(before) };
  };
  const read = async (): Promise<FolderState> => ({
    kind: "usable",
    set: await readCredentialFolder(folder, { signal }),
  });
  try {
    return await read();
  } catch {
    await systemClock.sleep(LOOK_AGAIN_MS, { signal }).catch(() => undefined);
    return read().catch(refused);
  }
}

function isSame(a: FolderState, b: FolderState): boolean {
  if (a.kind === "usable") return b.kind === "usable" && a.set.digest === b.set.digest;
  return b.kind === "refused" && a.error.message === b.error.message;
}
