export { checkActual } from "./actual.ts";
export { canonicalJson } from "./canonical.ts";
export { diffSpecs } from "./diff.ts";
export { type Fingerprint, fingerprintOf } from "./fingerprint.ts";
export { normaliseSpec } from "./normalise.ts";
