import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { errnoOf, toError } from "../../base/index.ts";

/** What one installed version is: written last, so that a folder which has it is whole. */
export interface AgentManifest {
  readonly schema: 1;
  readonly agent: string;
  readonly version: string;
  /** npm's words, as `linux-x64-glibc`. */
  readonly platform: string;
  readonly package: string;
  /** The program, relative to the tree. */
  readonly program: string;
  /** Digest over path, mode, size and content of every file of the tree, hex. */
  readonly sha256: string;
  readonly bytes: number;
  /** ISO 8601. */
  readonly installedAt: string;
}

/** Names inside the folder of one version. The tree is what lanes see. */
export const AGENT_FILES = { manifest: "manifest.json", tree: "tree" } as const;

const manifest = z.object({
  schema: z.literal(1),
  agent: z.string(),
  version: z.string(),
  platform: z.string(),
  package: z.string(),
  program: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
  installedAt: z.iso.datetime(),
});

/** The manifest of a version's folder; null where there is none that can be read: nothing is installed there. */
export async function readManifest(folder: string): Promise<AgentManifest | null> {
  try {
    const parsed = manifest.safeParse(JSON.parse(await readFile(join(folder, AGENT_FILES.manifest), "utf8")));
    return parsed.success ? parsed.data : null;
  } catch (caught) {
    const errno = errnoOf(caught);
    if (errno === "ENOENT" || errno === "ENOTDIR" || caught instanceof SyntaxError) return null;
    throw toError(caught);
  }
}
