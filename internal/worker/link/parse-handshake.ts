import type { HostFrame } from "../../protocol/index.ts";

/** The frames an unproven host may send. */
export type HandshakeFrame = Extract<HostFrame, { readonly t: "hello" | "proof" }>;

/** Longer than either frame can be. */
const LENGTH_MAX = 512;

/**
 * `hostFrameSchema` for the two frames of a handshake, by hand: a lane is ready once they are through, and building the
 * schemas takes 10 ms of a start. A test holds both against each other.
 */
export function parseHandshake(text: string): HandshakeFrame | null {
  if (text.length > LENGTH_MAX) return null;
  const raw = parseObject(text);
  if (raw === null) return null;
  const { t, protocol, generation, nonce, mac } = raw;
  const members = Object.keys(raw).length;
  if (t === "hello" && members === 4 && isInteger(protocol) && isInteger(generation) && generation > 0) {
    return isHex(nonce, 32) ? { t, protocol, generation, nonce } : null;
  }
  return t === "proof" && members === 2 && isHex(mac, 64) ? { t, mac } : null;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const raw: unknown = JSON.parse(text);
    return typeof raw === "object" && raw !== null ? { ...raw } : null;
  } catch {
    return null;
  }
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isHex(value: unknown, digits: number): value is string {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value);
}
