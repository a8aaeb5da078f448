import { randomBytes } from "node:crypto";

/** Random source as decisions see it, so that tests can fix it. */
export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
}

/** The machine's random source. */
export const systemRandom: Random = { unit: () => Math.random() };

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * A sortable 128-bit id: 48 bits of wall time, 80 random bits, in Crockford's base 32 (the ULID layout, lower
 * case), 26 characters. Unguessable enough to be a name another lane cannot find (threat T8).
 */
export function newId(nowMs: number = Date.now()): string {
  let time = "";
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time;
  let random = "";
  for (const byte of randomBytes(16)) random += ALPHABET[byte & 31];
  return time + random;
}

/** `bytes` random bytes as lower-case hex. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
