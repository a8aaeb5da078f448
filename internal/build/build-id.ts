import { createHash } from "node:crypto";

/** SHA-256, hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** The id of programs that belong together: a digest over their names and bundles, 64 hex digits. */
export function buildIdOf(bundles: ReadonlyMap<string, string>): string {
  const lines = [...bundles].map(([name, text]) => `${name} ${sha256(text)}\n`).sort();
  return sha256(lines.join(""));
}
