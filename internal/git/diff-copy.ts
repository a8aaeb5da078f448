import { closeSync, fstatSync, mkdirSync, readlinkSync, readSync, symlinkSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../base/index.ts";
import { hashFile, type LfsPointer, POINTER_MAX_BYTES, parsePointer, renderPointer } from "./lfs-pointer.ts";
import { at, bytesOf, keepFolder, openAt, openRoot } from "./open-below.ts";

/** What is copied at most. */
export interface CopyLimits {
  readonly fileBytes: number;
  readonly totalBytes: number;
  readonly files: number;
}

/** What became of the paths. They are bytes, one in each character. */
export interface CopiedFiles {
  readonly copied: readonly string[];
  /** There is nothing (any more) that git would keep. */
  readonly gone: readonly string[];
  /** A pipe, a socket, a device. */
  readonly special: readonly string[];
  /** Too large, too many, or not readable. */
  readonly skipped: readonly string[];
}

/** Of the contents whose pointers are made. */
const LFS_BYTES_MAX = 4 * 1024 ** 3;
/** Between two breaths for others. */
const AT_ONCE = 64;

/**
 * Copies files out of a work tree that somebody hostile writes at the same time, into a folder of ours that has nothing
 * yet. Each folder on the way is opened from the one above and never through a link; nothing is waited for; a link is
 * copied as a link. A second name of a file (a hard link) is taken: a lane can only give one to what it sees anyway.
 */
export async function copyFiles(
  from: string,
  to: string,
  paths: readonly string[],
  opts: {
    readonly limits: CopyLimits;
    /** Is it a file of git-lfs? Then its pointer is what is copied. */
    readonly isLfs?: ((path: string) => boolean) | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<CopiedFiles> {
  const { limits, signal, isLfs = () => false } = opts;
  const out = { copied: [] as string[], gone: [] as string[], special: [] as string[], skipped: [] as string[] };
  const root = openRoot(from);
  const folder = keepFolder(root);
  const links = new Set<string>();
  let left = limits.totalBytes;
  let leftOfLfs = LFS_BYTES_MAX;
  try {
    for (const [n, path] of paths.entries()) {
      if (n % AT_ONCE === 0) {
        await setImmediate();
        throwIfAborted(signal);
      }
      if (n >= limits.files || left <= 0) {
        out.skipped.push(path);
        continue;
      }
      const slash = path.lastIndexOf("/");
      const at = [folder.open(path.slice(0, Math.max(slash, 0))), path.slice(slash + 1)] as const;
      const pointer = isLfs(path) ? await readPointer(...at, leftOfLfs, signal) : null;
      leftOfLfs -= pointer?.size ?? 0;
      const found = pointer === null ? read(...at, limits.fileBytes) : toFound(pointer);
      left -= found.kind === "file" ? found.content.length : 0;
      out[fate(to, path, found, links)].push(path);
    }
  } finally {
    folder.close();
    closeSync(root);
  }
  return out;
}

interface PointerFile extends LfsPointer {
  readonly executable: boolean;
}

function toFound(file: PointerFile): Found {
  return { kind: "file", content: Buffer.from(renderPointer(file)), executable: file.executable };
}

/** The pointer of a file's content; null for what is none, is one already, or is too large. */
async function readPointer(
  folder: number | null,
  name: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<PointerFile | null> {
  const fd = folder === null ? "ENOENT" : openAt(folder, name, 0);
  if (typeof fd === "string") return null;
  try {
    const facts = fstatSync(fd);
    const { size } = facts;
    if (!facts.isFile() || size > maxBytes || size === 0) return null;
    const start = Buffer.alloc(Math.min(size, POINTER_MAX_BYTES));
    readSync(fd, start, 0, start.length, 0);
    if (size <= POINTER_MAX_BYTES && parsePointer(start.toString("latin1")) !== null) return null;
    const pointer = await hashFile(fd, { maxBytes: size, signal });
    return pointer === null ? null : { ...pointer, executable: isExecutable(facts) };
  } finally {
    closeSync(fd);
  }
}

function isExecutable({ mode }: { readonly mode: number }): boolean {
  return (mode & 0o100) !== 0;
}

type Found =
  | { readonly kind: "file"; readonly content: Buffer; readonly executable: boolean }
  | { readonly kind: "link"; readonly target: Buffer }
  | { readonly kind: "gone" | "special" | "skipped" };

function read(folder: number | null, name: string, maxBytes: number): Found {
  if (folder === null) return { kind: "gone" };
  const fd = openAt(folder, name, 0);
  if (fd === "ENOENT" || fd === "ENOTDIR") return { kind: "gone" };
  if (fd === "ELOOP") return readLink(folder, name);
  // A socket, or a device that nobody is behind.
  if (fd === "ENXIO" || fd === "ENODEV") return { kind: "special" };
  if (typeof fd === "string") return { kind: "skipped" };
  try {
    const facts = fstatSync(fd);
    if (facts.isDirectory()) return { kind: "gone" };
    if (!facts.isFile()) return { kind: "special" };
    if (facts.size > maxBytes) return { kind: "skipped" };
    // It may grow meanwhile: what it had when it was looked at is what is taken.
    const content = Buffer.alloc(facts.size);
    let length = 0;
    for (let got = 1; got > 0 && length < content.length; length += got) {
      got = readSync(fd, content, length, content.length - length, length);
    }
    return { kind: "file", content: content.subarray(0, length), executable: isExecutable(facts) };
  } catch {
    return { kind: "skipped" };
  } finally {
    closeSync(fd);
  }
}

function readLink(folder: number, name: string): Found {
  try {
    return { kind: "link", target: readlinkSync(at(folder, name), { encoding: "buffer" }) };
  } catch {
    return { kind: "gone" };
  }
}

/** Places what is to be copied, and says what became of it. */
function fate(to: string, path: string, found: Found, links: Set<string>): keyof CopiedFiles {
  if (found.kind !== "file" && found.kind !== "link") return found.kind;
  return place(to, path, found, links) ? "copied" : "skipped";
}

/**
 * False where a file of the copy is in the way of a folder (the tree changed while it was listed), and for a link that no
 * index takes. A link is never passed through here either: what was one a moment ago may be a folder now.
 */
function place(
  to: string,
  path: string,
  found: Found & { readonly kind: "file" | "link" },
  links: Set<string>,
): boolean {
  if (found.kind === "link" && /(^|\/)\.gitmodules$/i.test(path)) return false;
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    if (links.has(path.slice(0, at))) return false;
  }
  if (found.kind === "link") links.add(path);
  const slash = path.lastIndexOf("/");
  const below = (part: string) => Buffer.concat([Buffer.from(`${to}/`), bytesOf(part)]);
  try {
    if (slash > 0) mkdirSync(below(path.slice(0, slash)), { recursive: true });
    if (found.kind === "link") symlinkSync(found.target, below(path));
    else writeFileSync(below(path), found.content, { flag: "wx", mode: found.executable ? 0o755 : 0o644 });
    return true;
  } catch {
    return false;
  }
}
