import { createHash } from "node:crypto";
import { type LaneSpec, SPEC_PARTS, type SpecPart } from "../lane/index.ts";
import { canonicalJson } from "./canonical.ts";
import { normaliseSpec } from "./normalise.ts";

/** A spec's digests: one per part, and one over them all. Hex SHA-256. */
export interface Fingerprint {
  readonly whole: string;
  readonly parts: Readonly<Record<SpecPart, string>>;
}

/** Digests of `spec`. The spec's schema is part of each, so that a new shape is seen as drift. */
export function fingerprintOf(spec: LaneSpec): Fingerprint {
  const normal = normaliseSpec(spec);
  const parts = Object.fromEntries(
    SPEC_PARTS.map((part) => [part, sha256(`lanekeeper-spec-${spec.schema}\n${part}\n${canonicalJson(normal[part])}`)]),
  ) as Record<SpecPart, string>;
  return { whole: sha256(SPEC_PARTS.map((part) => `${part}=${parts[part]}`).join("\n")), parts };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
