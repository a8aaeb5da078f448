import { type DriftField, type LaneSpec, SPEC_PARTS } from "../lane/index.ts";
import { canonicalJson } from "./canonical.ts";
import { normaliseSpec } from "./normalise.ts";

/** Leaves of a value by path; members of a set are named by what identifies them, not by their place. */
type Leaves = Map<string, string>;

/**
 * Every field in which two specs differ: part, field, was, is. Empty exactly when the fingerprints are equal, but
 * for the spec's schema, which is reported as a field of `image`.
 */
export function diffSpecs(was: LaneSpec, is: LaneSpec): DriftField[] {
  const [old, now] = [normaliseSpec(was), normaliseSpec(is)];
  const out: DriftField[] = [];
  for (const part of SPEC_PARTS) {
    const [a, b] = [leavesOf(old[part]), leavesOf(now[part])];
    for (const field of [...new Set([...a.keys(), ...b.keys()])].sort()) {
      const [left, right] = [a.get(field) ?? null, b.get(field) ?? null];
      if (left !== right) out.push({ part, field, was: left, is: right });
    }
  }
  if (was.schema !== is.schema) {
    out.push({ part: "image", field: "schema", was: String(was.schema), is: String(is.schema) });
  }
  return out;
}

function leavesOf(value: unknown): Leaves {
  const leaves: Leaves = new Map();
  walk(value, "", leaves);
  return leaves;
}

function walk(value: unknown, path: string, leaves: Leaves): void {
  if (Array.isArray(value)) {
    value.forEach((item: unknown, index) => {
      const name = identityOf(item, index);
      // A member of a set of plain words stands for itself: it is there or it is not.
      if (name.kind === "word") leaves.set(`${path}[${name.text}]`, name.text);
      else walk(item, `${path}[${name.text}]`, leaves);
    });
    return;
  }
  if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) walk(member, path === "" ? key : `${path}.${key}`, leaves);
    return;
  }
  leaves.set(path === "" ? "value" : path, typeof value === "string" ? value : canonicalJson(value));
}

function identityOf(item: unknown, index: number): { readonly kind: "word" | "member"; readonly text: string } {
  if (typeof item === "object" && item !== null) {
    for (const key of ["agent", "target", "containerPort"] as const) {
      if (key in item) return { kind: "member", text: String((item as Record<string, unknown>)[key]) };
    }
    return { kind: "member", text: String(index) };
  }
  // Capabilities and the entrypoint: the place matters for the latter, so it is part of the name.
  return typeof item === "string" && /^[A-Z_]+$/.test(item)
    ? { kind: "word", text: item }
    : { kind: "member", text: String(index) };
}
