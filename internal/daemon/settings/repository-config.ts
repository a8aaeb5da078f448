import { type AppError, hasCode, toAppError } from "../../base/index.ts";
import { parseRepositoryFile, REPOSITORY_FILE_MAX_BYTES } from "../../config/index.ts";
import { type HardenedGit, locateGitDir, markOfRef, readFileAt } from "../../git/index.ts";
import { type Lane, NO_REPOSITORY_CONFIG, REPOSITORY_FILE, type RepositoryConfig } from "../../lane/index.ts";

/** A repository's own file as a commit has it, or why it cannot be used. */
export type Reading =
  | { readonly kind: "good"; readonly commit: string; readonly text: string | null; readonly config: RepositoryConfig }
  | { readonly kind: "broken"; readonly error: AppError };

/** Reads repositories' own files. Asked often: git is only called when the base may have moved. */
export interface RepositoryReader {
  /** Never rejects but for the signal. `base` null: the commit that the main work tree is on. */
  read(path: string, base: string | null, opts: { readonly signal?: AbortSignal | undefined }): Promise<Reading>;
}

/** Texts of repositories that are kept parsed. */
const KEPT_MAX = 64;

/** See {@link RepositoryReader}. */
export function createRepositoryReader(git: HardenedGit): RepositoryReader {
  const readings = new Map<string, { readonly mark: string; readonly reading: Reading }>();
  const keep = (key: string, mark: string, reading: Reading): Reading => {
    readings.delete(key);
    readings.set(key, { mark, reading });
    const [oldest] = readings.keys();
    if (readings.size > KEPT_MAX && oldest !== undefined) readings.delete(oldest);
    return reading;
  };
  return {
    read: async (path, base, { signal }) => {
      const ref = base ?? "HEAD";
      let at: { readonly key: string; readonly mark: string } | null = null;
      try {
        const gitDir = await locateGitDir(path);
        if (gitDir === null) return { kind: "good", commit: "", text: null, config: NO_REPOSITORY_CONFIG };
        at = { key: `${gitDir}\0${ref}`, mark: await markOfRef(gitDir, ref) };
        const known = readings.get(at.key);
        if (known?.mark === at.mark) return known.reading;
        const file = REPOSITORY_FILE;
        const found = await readFileAt(git, { gitDir, ref, file, maxBytes: REPOSITORY_FILE_MAX_BYTES, signal });
        return keep(at.key, at.mark, toReading(found.commit, found.text, known?.reading));
      } catch (caught) {
        signal?.throwIfAborted();
        const broken: Reading = { kind: "broken", error: toAppError(caught) };
        // What is wrong with the commit stays wrong; anything else may pass.
        return at && hasCode(caught, "config.invalid") ? keep(at.key, at.mark, broken) : broken;
      }
    },
  };
}

/** What a text says, in a reading: parsed anew only when it is another text. */
export function toReading(commit: string, text: string | null, before?: Reading | undefined): Reading {
  if (text === null) return { kind: "good", commit, text, config: NO_REPOSITORY_CONFIG };
  if (before?.kind === "good" && before.text === text) return { ...before, commit };
  try {
    return { kind: "good", commit, text, config: parseRepositoryFile(text) };
  } catch (caught) {
    if (!hasCode(caught, "config.invalid")) throw caught;
    return { kind: "broken", error: caught };
  }
}

/** Could the lane itself move what this base names? Then nothing of the repository's file may count. */
export function isOwnBase(lane: Pick<Lane, "branch">, base: string | null): boolean {
  if (base === null) return false;
  const name = (base.split(/[~^@:]/)[0] ?? "").replace(/^(refs\/)?heads\//, "");
  return name === lane.branch || /^(refs\/)?lanes\//.test(name);
}
