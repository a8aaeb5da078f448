import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { execa } from "execa";

/** How large. */
export interface LargeRepository {
  readonly files: number;
  /** The first one brings all files, each other one changes one of them. */
  readonly commits: number;
}

/** The size that the figures of the issue are given for. */
export const LARGE: LargeRepository = { files: 50_000, commits: 20_000 };

const FILES_PER_FOLDER = 200;
const LINES_PER_FILE = 10;
/** 2026-01-02, one commit a minute. */
const FIRST_AT_S = 1_767_312_000;

/** Where a generated repository keeps its n-th file. */
export const largeFile = (n: number): string => `d${Math.floor(n / FILES_PER_FOLDER)}/f${n}.txt`;

/**
 * Makes a repository of that size at `path`, on branch `main` and checked out. The same size gives the same commits.
 * 50 000 files and 20 000 commits take about 10 s.
 */
export async function makeLargeRepository(path: string, { files, commits }: LargeRepository): Promise<void> {
  await mkdir(path, { recursive: true });
  const git = (...args: readonly string[]) => execa("git", ["-C", path, ...args]);
  await git("init", "--quiet", "--initial-branch=main");
  const importer = spawn("git", ["-C", path, "fast-import", "--quiet", "--force"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(importer, "close");
  for (const piece of history(files, commits)) {
    if (!importer.stdin.write(piece)) await once(importer.stdin, "drain");
  }
  importer.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
  await git("reset", "--hard", "--quiet");
}

/** The stream for fast-import, in pieces. */
function* history(files: number, commits: number): Generator<string> {
  for (let commit = 0; commit < commits; commit++) {
    const message = `change ${commit}\n`;
    yield `commit refs/heads/main\ncommitter T <t@example.test> ${FIRST_AT_S + commit * 60} +0000\n`;
    yield `data ${message.length}\n${message}\n`;
    if (commit > 0) yield change((commit * 7919) % files, commit);
    else for (let n = 0; n < files; n++) yield change(n, 0);
  }
}

function change(file: number, commit: number): string {
  const lines = Array.from({ length: LINES_PER_FILE }, (_, line) => `file ${file}, line ${line}\n`);
  lines[commit % LINES_PER_FILE] = `file ${file}, changed by ${commit}\n`;
  const text = lines.join("");
  return `M 100644 inline ${largeFile(file)}\ndata ${text.length}\n${text}\n`;
}
