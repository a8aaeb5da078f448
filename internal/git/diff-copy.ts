import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { setImmediate } from "node:timers/promises";
import { errnoOf, throwIfAborted } from "../base/index.ts";

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

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Between two breaths for others. */
const AT_ONCE = 64;

const bytesOf = (path: string): Buffer => Buffer.from(path, "latin1");

/**
 * Copies files out of a work tree that somebody hostile writes at the same time, into a folder of ours that has nothing
 * yet. Each folder on the way is opened from the one above and never through a link; nothing is waited for; a link is
 * copied as a link. A second name of a file (a hard link) is taken: a lane can only give one to what it sees anyway.
 */
export async function copyFiles(
  from: string,
  to: string,
  paths: readonly string[],
  opts: { readonly limits: CopyLimits; readonly signal?: AbortSignal | undefined },
): Promise<CopiedFiles> {
  const { limits, signal } = opts;
  const out = { copied: [] as string[], gone: [] as string[], special: [] as string[], skipped: [] as string[] };
  const root = openSync(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const folder = keepFolder(root);
  const links = new Set<string>();
  let left = limits.totalBytes;
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
      const found = read(folder.open(path.slice(0, Math.max(slash, 0))), path.slice(slash + 1), limits.fileBytes);
      if (found.kind === "file" || found.kind === "link") {
        left -= found.kind === "file" ? found.content.length : 0;
        out[place(to, path, found, links) ? "copied" : "skipped"].push(path);
      } else {
        out[found.kind].push(path);
      }
    }
  } finally {
    folder.close();
    closeSync(root);
  }
  return out;
}

/** Opens folders below `root`, and keeps the last one: paths come in order. */
function keepFolder(root: number) {
  let last: { readonly path: string; readonly fd: number | null } = { path: "", fd: root };
  const close = () => {
    if (last.fd !== null && last.fd !== root) closeSync(last.fd);
    last = { path: "", fd: root };
  };
  const open = (path: string): number | null => {
    if (path === last.path) return last.fd;
    close();
    if (path === "") return root;
    let at = root;
    for (const name of path.split("/")) {
      const next = openAt(at, name, O_DIRECTORY);
      if (at !== root) closeSync(at);
      if (typeof next === "string") {
        last = { path, fd: null };
        return null;
      }
      at = next;
    }
    last = { path, fd: at };
    return at;
  };
  return { open, close };
}

/** A descriptor, or why there is none. */
function openAt(folder: number, name: string, flags: number): number | string {
  try {
    return openSync(at(folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | flags);
  } catch (caught) {
    return errnoOf(caught) ?? "EIO";
  }
}

const at = (folder: number, name: string): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), bytesOf(name)]);

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
    return { kind: "file", content: content.subarray(0, length), executable: (facts.mode & 0o100) !== 0 };
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
