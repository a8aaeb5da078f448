import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { TOOLS, type ToolFact, type ToolName } from "./facts.ts";

/** Where programs are that an ordinary user's PATH leaves out, and where Podman keeps its helpers. */
const MORE_FOLDERS = [
  "/usr/sbin",
  "/sbin",
  "/usr/local/sbin",
  "/usr/local/libexec/podman",
  "/usr/local/lib/podman",
  "/usr/libexec/podman",
  "/usr/lib/podman",
];

/** Programs whose version is judged or shown; starting the others would cost time for nothing. */
const ASK_VERSION: readonly ToolName[] = ["podman", "git", "crun", "runc"];

const VERSION_BUDGET_MS = 5000;

/** Looks for every program of {@link TOOLS}; absent ones are left out. Never throws except for an aborted signal. */
export async function observeTools(
  searchPath: string,
  env: Readonly<Record<string, string | undefined>>,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<Readonly<Partial<Record<ToolName, ToolFact>>>> {
  const folders = [...searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder)), ...MORE_FOLDERS];
  const found: Partial<Record<ToolName, ToolFact>> = {};
  await Promise.all(
    TOOLS.map(async (name) => {
      const file = await findProgram(name, folders);
      if (file === null) return;
      found[name] = {
        path: file,
        version: ASK_VERSION.includes(name) ? await observeVersion(file, env, opts) : null,
      };
    }),
  );
  opts.signal?.throwIfAborted();
  return found;
}

async function findProgram(name: string, folders: readonly string[]): Promise<string | null> {
  for (const folder of folders) {
    const file = path.join(folder, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // Not here: the next folder.
    }
  }
  return null;
}

async function observeVersion(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  opts: { readonly signal?: AbortSignal | undefined },
): Promise<string | null> {
  const result = await execa(file, ["--version"], {
    env,
    extendEnv: false,
    reject: false,
    stdin: "ignore",
    timeout: VERSION_BUDGET_MS,
    cancelSignal: opts.signal ?? new AbortController().signal,
  });
  return /\d+\.\d+(?:\.\d+)?/.exec(result.stdout)?.[0] ?? null;
}
