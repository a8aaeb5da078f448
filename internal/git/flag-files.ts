import { posix } from "node:path";
import { type FlagCode, PATH_RULES } from "./flag-table.ts";

/** Why a changed file deserves a look before it reaches the host. */
export interface FileFlag {
  readonly code: FlagCode;
  readonly message: string;
}

/** A changed file as it is judged. */
export interface FlagInput {
  readonly path: string;
  /** `000000` where there is none. A folder that holds a repository of its own: `040000`. A pipe or device: `060000`. */
  readonly oldMode: string;
  readonly newMode: string;
  /** Null where there is no such text, or where it was not asked for by {@link needsText}. */
  readonly oldText: string | null;
  /** Of a link: its target. Null also when it was too large to be looked into. */
  readonly newText: string | null;
  /** Of a submodule: has the repository's own copy of it this commit? Left out when nobody has looked. */
  readonly isCommitKnown?: boolean | undefined;
}

const NONE = "000000";
const EXECUTABLE = "100755";
const LINK = "120000";
export const GITLINK = "160000";
export const NESTED_MODE = "040000";
export const SPECIAL_MODE = "060000";

/** Fields of a package.json whose commands npm, or a hook manager, runs. */
const RUN_FIELDS = ["scripts", "husky", "lint-staged", "simple-git-hooks", "pre-commit", "pre-push"] as const;
/** Attributes that name a driver, or hide what a file has in a diff. */
const DRIVEN = /(^|\s)(filter|diff|merge)=|(^|\s)(-diff|-merge|binary|\[attr\])/;

/** Does the judgement depend on what is in the file? */
export function needsText({ path, newMode }: Pick<FlagInput, "path" | "newMode">): boolean {
  return newMode === LINK || /(^|\/)(package\.json|\.gitattributes)$/.test(path.toLowerCase());
}

/**
 * Flags for each file, in the order of the files. A deleted file has none: nothing runs it any more. Pure; never throws,
 * whatever the files hold.
 */
export function flagFiles(files: readonly FlagInput[]): readonly (readonly FileFlag[])[] {
  const there = files.filter(({ newMode }) => newMode !== NONE);
  const bare = bareRepositories(there.map(({ path }) => path));
  return files.map((file) => (file.newMode === NONE ? [] : flagsOf(file, bare)));
}

function flagsOf(file: FlagInput, bare: ReadonlySet<string>): readonly FileFlag[] {
  const path = file.path.toLowerCase();
  const name = posix.basename(path);
  const flags: FileFlag[] = [];
  const add = (code: FlagCode, message: string | null) => {
    if (message !== null && !flags.some((known) => known.code === code)) flags.push({ code, message });
  };
  if (file.newMode === SPECIAL_MODE) add("special-file", "it is a pipe, a socket or a device now");
  if (file.newMode === NESTED_MODE || path.split("/").includes(".git")) {
    add("nested-repository", "a repository in the repository: git and editors obey its settings and hooks");
  }
  if ([...bare].some((folder) => isBelow(file.path, folder))) {
    add("nested-repository", "git takes this folder for a bare repository, and obeys its settings and hooks");
  }
  if (file.newMode === GITLINK) add("submodule", whatSubmoduleNames(file));
  const found = PATH_RULES.find((rule) => rule.path.test(path));
  if (found) add(found.code, found.message);
  if (file.newMode === LINK) add("link-outside", whereLinkLeaves(file));
  else if (name === "package.json") add("package-script", whatPackageRuns(file));
  else if (name === ".gitattributes") add("git-attributes", whatAttributesDrive(file));
  if (file.newMode === EXECUTABLE && file.oldMode !== EXECUTABLE) add("executable", "it can be executed now");
  return flags;
}

/** Folders with what git looks for in a git dir: HEAD, and beside it anything else of one. */
function bareRepositories(paths: readonly string[]): ReadonlySet<string> {
  const heads = paths.filter((path) => posix.basename(path) === "HEAD").map((path) => posix.dirname(path));
  const rest = /^(config|objects\/.+|refs\/.+|hooks\/.+|packed-refs)$/;
  return new Set(
    heads.filter((folder) =>
      paths.some((path) => isBelow(path, folder) && rest.test(folder === "." ? path : path.slice(folder.length + 1))),
    ),
  );
}

function isBelow(path: string, folder: string): boolean {
  if (folder !== ".") return path.startsWith(`${folder}/`);
  return /^(HEAD|config|objects\/.+|refs\/.+|hooks\/.+|packed-refs)$/.test(path);
}

function whatSubmoduleNames({ isCommitKnown }: FlagInput): string {
  const fetched = "a commit of another repository, which git fetches";
  if (isCommitKnown !== false) return fetched;
  return `${fetched}; no copy of it on this host has that commit: if only the lane has, push it there from the submodule first`;
}

function whereLinkLeaves({ path, newText }: FlagInput): string | null {
  if (newText === null) return "it is a link that could not be looked at";
  const shown = JSON.stringify(newText.slice(0, 120));
  if (posix.isAbsolute(newText)) return `it is a link to ${shown}, outside of the work tree`;
  const target = posix.normalize(posix.join(posix.dirname(path), newText));
  return target === ".." || target.startsWith("../") ? `it is a link to ${shown}, outside of the work tree` : null;
}

function whatPackageRuns({ oldText, newText }: FlagInput): string | null {
  if (newText === null) return "it is too large to see whether its scripts have changed";
  const after = toFields(newText);
  if (after === null) return "it is no JSON, so what its scripts are cannot be seen";
  const before = (oldText === null ? {} : toFields(oldText)) ?? {};
  const changed = RUN_FIELDS.filter((field) => canonical(after[field]) !== canonical(before[field]));
  // What is only taken away runs nothing.
  const added = changed.filter((field) => after[field] !== undefined);
  return added.length === 0 ? null : `npm and git hooks run what is in its ${added.join(", ")}, which changed`;
}

function toFields(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The order of keys means nothing. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

function whatAttributesDrive({ oldText, newText }: FlagInput): string | null {
  if (newText === null) return "it is too large to see what it asks for";
  const driven = (text: string | null) => (text ?? "").split("\n").filter((line) => DRIVEN.test(line));
  const before = new Set(driven(oldText));
  return driven(newText).some((line) => !before.has(line))
    ? "it asks for filters, diff or merge drivers of the host, or hides files from diffs"
    : null;
}
