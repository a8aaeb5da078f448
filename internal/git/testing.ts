import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type HardenedGit, hardenedGit } from "./hardened-git.ts";

/** A throw-away folder with a real repository in it, for tests only. */
export interface TestRepo {
  readonly root: string;
  /** Main work tree, one commit on `main` with `a.txt` and `sub/b.txt`. */
  readonly path: string;
  readonly gitDir: string;
  readonly git: HardenedGit;
  /** Plain git, as a person would run it; returns stdout. */
  readonly raw: (cwd: string, ...args: string[]) => string;
  readonly write: (path: string, text: string) => void;
  readonly dispose: () => void;
}

/** The variables a daemon would hand on; HOME is empty so that the machine's own configuration stays out. */
export function makeTestRepo(opts: { readonly objectFormat?: "sha1" | "sha256" } = {}): TestRepo {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "lk-git-")));
  const path = join(root, "repo");
  const home = join(root, "home");
  mkdirSync(home);
  const env = { PATH: process.env.PATH, HOME: home };
  const raw = (cwd: string, ...args: string[]) =>
    execFileSync("git", args, {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env,
      timeout: 20_000,
    }).replace(/\n$/, "");
  const write = (file: string, text: string) => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  write(join(home, ".gitconfig"), "[user]\n\tname = T\n\temail = t@example.test\n");
  mkdirSync(path);
  raw(path, "init", "--quiet", "--initial-branch=main", `--object-format=${opts.objectFormat ?? "sha1"}`);
  write(join(path, "a.txt"), "one\n");
  write(join(path, "sub", "b.txt"), "two\n");
  raw(path, "add", ".");
  raw(path, "commit", "--quiet", "-m", "first");
  const dispose = () => rmSync(root, { recursive: true, force: true });
  return { root, path, gitDir: join(path, ".git"), git: hardenedGit(env), raw, write, dispose };
}
