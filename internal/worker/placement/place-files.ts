import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { AgentFile, JsonSettings } from "../../agents/index.ts";
import { mergeJson } from "../../agents/merge-json.ts";
import type { CredentialFile, CredentialProof } from "../../protocol/index.ts";

/** What is to be placed. All paths are relative to `home`, and checked by whoever gives the order. */
export interface PlaceOrder {
  readonly home: string;
  readonly files: readonly CredentialFile[];
  /** Delivered earlier, and not any more. */
  readonly remove: readonly string[];
  /** JSON files that are to hold these settings, beside all else that is in them; and links. */
  readonly settings?: readonly AgentFile[] | undefined;
}

/** What is there now, or the first path that could not be had as ordered; never anything of a file's content. */
export type PlaceAnswer =
  | { readonly kind: "ok"; readonly manifest: readonly CredentialProof[] }
  | { readonly kind: "refused"; readonly path: string; readonly errno: string };

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** No credential is larger; a file that is was not placed by us. */
const MEASURED_MAX_BYTES = 1024 * 1024;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * Places the files and then measures them. Runs in a process of the agent's own user, without any capability: whatever
 * else runs as that user may swap links and folders below its home at any moment, and with the agent's own rights the
 * worst it can reach that way is what the agent could have done by itself. Links are still not followed where they are
 * seen, so that a plain mistake does not put a credential into the worktree.
 */
export function placeFiles({ home, files, remove, settings = [] }: PlaceOrder): PlaceAnswer {
  const manifest: CredentialProof[] = [];
  const acts: readonly (readonly [path: string, act: () => void])[] = [
    ...remove.map((path) => [path, () => removeFile(home, path)] as const),
    ...files.map((file) => [file.path, () => placeFile(home, file)] as const),
    ...settings.map(
      (file) => [file.path, () => ("link" in file ? placeLink(home, file) : placeSettings(home, file))] as const,
    ),
    ...files.map(({ path }) => [path, () => void manifest.push(measure(home, path))] as const),
  ];
  for (const [path, act] of acts) {
    try {
      act();
    } catch (caught) {
      return { kind: "refused", path, errno: errnoOf(caught) };
    }
  }
  return { kind: "ok", manifest };
}

function placeFile(home: string, { path, base64 }: CredentialFile): void {
  for (const folder of foldersOf(path)) makeFolder(join(home, folder));
  const target = join(home, path);
  const draft = draftOf(target);
  unlinkIfThere(draft);
  const fd = openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
  try {
    try {
      fchmodSync(fd, FILE_MODE);
      writeFileSync(fd, Buffer.from(base64, "base64"));
    } finally {
      closeSync(fd);
    }
    renameSync(draft, target);
  } catch (caught) {
    unlinkIfThere(draft);
    throw caught;
  }
}

/** What is there and is no link is not ours: it is kept beside it. */
function placeLink(home: string, { path, link }: Extract<AgentFile, { readonly link: string }>): void {
  for (const folder of foldersOf(path)) makeFolder(join(home, folder));
  const target = join(home, path);
  const kind = kindOf(target);
  if (kind === "link" && readlinkSync(target) === link) return;
  const draft = draftOf(target);
  unlinkIfThere(draft);
  symlinkSync(link, draft);
  if (kind === "folder" || kind === "other") renameSync(target, `${target}.own`);
  renameSync(draft, target);
}

function placeSettings(
  home: string,
  { path, settings }: Extract<AgentFile, { readonly settings: JsonSettings }>,
): void {
  const target = join(home, path);
  const before = kindOf(target) === "absent" ? null : readPlain(target).content.toString("utf8");
  const text = mergeJson(before, settings);
  if (text !== before) placeFile(home, { path, base64: Buffer.from(text).toString("base64") });
}

/** What is not a file any more, or is out of plain reach, is the agent's own. */
function removeFile(home: string, path: string): void {
  const isPlain = foldersOf(path).every((folder) => kindOf(join(home, folder)) === "folder");
  if (!isPlain) return;
  const target = join(home, path);
  unlinkIfThere(draftOf(target));
  if (kindOf(target) !== "folder") unlinkIfThere(target);
}

function measure(home: string, path: string): CredentialProof {
  const { mode, uid, content } = readPlain(join(home, path));
  return { path, sha256: createHash("sha256").update(content).digest("hex"), mode: mode & 0o7777, uid };
}

function readPlain(path: string): { readonly mode: number; readonly uid: number; readonly content: Buffer } {
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const { mode, uid, size } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw withErrno("EISDIR");
    if (size > MEASURED_MAX_BYTES) throw withErrno("EFBIG");
    return { mode, uid, content: readFileSync(fd) };
  } finally {
    closeSync(fd);
  }
}

/** `a/b/c` has the folders `a` and `a/b`. */
function foldersOf(path: string): readonly string[] {
  const folders: string[] = [];
  for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) folders.unshift(folder);
  return folders;
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, FOLDER_MODE);
    return;
  } catch (caught) {
    if (errnoOf(caught) !== "EEXIST") throw caught;
  }
  const kind = kindOf(path);
  if (kind !== "folder") throw withErrno(kind === "link" ? "ELOOP" : "ENOTDIR");
  if (lstatSync(path).mode & 0o077) chmodSync(path, FOLDER_MODE);
}

function kindOf(path: string): "absent" | "folder" | "link" | "other" {
  const seen = lstatSync(path, { throwIfNoEntry: false });
  if (!seen) return "absent";
  if (seen.isDirectory()) return "folder";
  return seen.isSymbolicLink() ? "link" : "other";
}

/** Where a file is written before it is renamed. Always the same name, so that one left behind is found again. */
function draftOf(target: string): string {
  return `${target}.lanekeeper-new`;
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (caught) {
    if (errnoOf(caught) !== "ENOENT") throw caught;
  }
}

function withErrno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function errnoOf(caught: unknown): string {
  return String((caught as NodeJS.ErrnoException | null)?.code ?? "EUNKNOWN");
}
