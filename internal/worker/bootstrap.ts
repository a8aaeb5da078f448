import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bootstrap } from "../protocol/index.ts";
// Not through the package's index: that loads zod, which the boot has no time for.
import { BOOT_FILES } from "../protocol/link-terms.ts";

/** What the host left for this worker in `/run/lane`. */
export interface BootFiles {
  readonly bootstrap: Bootstrap;
  /** Key of every HMAC between this worker and the host. */
  readonly secret: string;
}

/** Reads the bootstrap folder. Throws an Error naming the file that is missing or wrong. */
export function readBootFiles(dir: string): BootFiles {
  const secret = readFileSync(join(dir, BOOT_FILES.secret), "utf8").trim();
  if (secret.length < 32) throw new Error(`${BOOT_FILES.secret} in ${dir} is shorter than 32 characters`);
  return { bootstrap: parseBootstrap(readFileSync(join(dir, BOOT_FILES.bootstrap), "utf8")), secret };
}

/**
 * `bootstrapSchema` by hand: the file is the host's own and read-only here, and this runs before zod is loaded. A test
 * holds both against each other.
 */
export function parseBootstrap(text: string): Bootstrap {
  const raw = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const build = stringOf(raw, "build");
  if (!/^[0-9a-f]{64}$/.test(build)) throw new Error(`${BOOT_FILES.bootstrap}: build is not a SHA-256`);
  const generation = countOf(raw, "generation");
  if (generation === 0) throw new Error(`${BOOT_FILES.bootstrap}: generation is 0`);
  return {
    laneId: stringOf(raw, "laneId"),
    laneName: stringOf(raw, "laneName"),
    workspaceId: stringOf(raw, "workspaceId"),
    generation,
    build,
    agentUid: countOf(raw, "agentUid"),
    agentGid: countOf(raw, "agentGid"),
  };
}

function stringOf(raw: Readonly<Record<string, unknown>>, name: string): string {
  const value = raw[name];
  if (typeof value !== "string") throw new Error(`${BOOT_FILES.bootstrap}: ${name} is not a string`);
  return value;
}

function countOf(raw: Readonly<Record<string, unknown>>, name: string): number {
  const value = raw[name];
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw new Error(`${BOOT_FILES.bootstrap}: ${name} is not a count`);
  }
  return value;
}
