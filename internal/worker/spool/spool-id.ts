import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "spool-id";

/** The spool's id, drawn and made durable at the first call for this volume. */
export function readSpoolId(dir: string): string {
  const path = join(dir, FILE);
  const known = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  if (/^[0-9a-f]{32}$/.test(known)) return known;
  const id = randomBytes(16).toString("hex");
  const draft = `${path}.new`;
  const fd = openSync(draft, "w", 0o600);
  writeFileSync(fd, `${id}\n`);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(draft, path);
  const folder = openSync(dir, "r");
  fsyncSync(folder);
  closeSync(folder);
  return id;
}
