import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { AppError, errnoOf, throwIfAborted, toError } from "../base/index.ts";
import { CREDENTIAL_LIMITS, isCredentialPath } from "../protocol/index.ts";
import { type Credential, type CredentialSet, NO_CREDENTIALS, toCredentialSet } from "./credential-set.ts";
import { readUpTo } from "./read-up-to.ts";

/** Folders below the folder: more would be somebody's home, not a folder of credentials. */
const FOLDERS_MAX = 64;

/**
 * Reads a credential folder whole: regular files only, at any depth, within {@link CREDENTIAL_LIMITS}. A folder that is
 * not there holds no credentials. Links are refused, not followed: what is delivered is what lies in the folder. An
 * empty file is refused too, as most logins are written by emptying the old one first.
 * @throws credentials.refused, naming the entry and the reason; never anything of a content
 */
export async function readCredentialFolder(
  dir: string,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<CredentialSet> {
  const seen = await lstat(dir).catch((caught) => {
    if (errnoOf(caught) === "ENOENT") return null;
    throw refuse(dir, "", reasonOf(caught));
  });
  if (!seen) return NO_CREDENTIALS;
  if (seen.isSymbolicLink()) throw refuse(dir, "", "is a symbolic link: name the folder itself");
  if (!seen.isDirectory()) throw refuse(dir, "", "is not a folder");
  const files: Credential[] = [];
  let totalBytes = 0;
  for (const path of await listFiles(dir)) {
    throwIfAborted(opts.signal);
    const content = await readOne(dir, path);
    totalBytes += content.length;
    if (totalBytes > CREDENTIAL_LIMITS.totalBytes) {
      throw refuse(dir, "", `holds more than ${CREDENTIAL_LIMITS.totalBytes / 1024} KiB in all`);
    }
    files.push({ path, content });
  }
  return toCredentialSet(files);
}

/** Paths of all files, at any depth. */
async function listFiles(dir: string): Promise<readonly string[]> {
  const files: string[] = [];
  const folders = [""];
  for (const folder of folders) {
    for (const { kind, path } of await list(dir, folder)) (kind === "file" ? files : folders).push(path);
    if (files.length > CREDENTIAL_LIMITS.files)
      throw refuse(dir, "", `holds more than ${CREDENTIAL_LIMITS.files} files`);
    if (folders.length > FOLDERS_MAX) throw refuse(dir, "", `holds more than ${FOLDERS_MAX} folders`);
  }
  return files;
}

interface Entry {
  readonly kind: "file" | "folder";
  readonly path: string;
}

async function list(dir: string, folder: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  try {
    for await (const entry of await opendir(join(dir, folder))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (!isCredentialPath(path)) throw refuse(dir, path, "has a name that cannot be delivered");
      if (entry.isSymbolicLink()) throw refuse(dir, path, "is a symbolic link: put the file itself there");
      if (!entry.isFile() && !entry.isDirectory()) throw refuse(dir, path, "is not a regular file");
      entries.push({ kind: entry.isFile() ? "file" : "folder", path });
      if (entries.length > CREDENTIAL_LIMITS.files + FOLDERS_MAX) throw refuse(dir, folder, "holds too many entries");
    }
  } catch (caught) {
    throw caught instanceof AppError ? caught : refuse(dir, folder, reasonOf(caught));
  }
  return entries;
}

async function readOne(dir: string, path: string): Promise<Buffer> {
  const max = CREDENTIAL_LIMITS.fileBytes;
  try {
    const content = await readUpTo(join(dir, path), { maxBytes: max, followLink: false });
    if (content === null) throw refuse(dir, path, "is not a regular file");
    if (content.length > max) throw refuse(dir, path, `is larger than ${max / 1024} KiB`);
    if (content.length === 0) throw refuse(dir, path, "is empty");
    return content;
  } catch (caught) {
    throw caught instanceof AppError ? caught : refuse(dir, path, reasonOf(caught));
  }
}

function reasonOf(caught: unknown): string {
  const errno = errnoOf(caught);
  if (errno === "ENOENT") return "vanished while it was being read";
  if (errno === "EACCES" || errno === "EPERM") return "may not be read by laned";
  if (errno === "ELOOP") return "is a symbolic link: put the file itself there";
  return `cannot be read (${errno ?? toError(caught).message})`;
}

function refuse(dir: string, path: string, reason: string): AppError {
  const entry = path === "" ? "" : `: ${JSON.stringify(path)}`;
  return new AppError({
    code: "credentials.refused",
    message: `the credential folder ${dir}${entry} ${reason}`,
    hint: `mend ${path === "" ? "it" : JSON.stringify(join(dir, path))}; lanes keep what they have, and get the rest at once`,
    details: { folder: dir, entry: path },
  });
}
