import { createHash } from "node:crypto";
import { canonicalJson } from "../fingerprint/index.ts";
import type { JobSpec } from "../job/index.ts";

/** SHA-256, hex, of the canonical spec without its key: what makes two submissions the same work. */
export function bodyHashOf(spec: JobSpec): string {
  const { key: _, ...body } = spec;
  return createHash("sha256").update(canonicalJson(body)).digest("hex");
}
