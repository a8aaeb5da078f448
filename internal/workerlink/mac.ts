import { createHmac, timingSafeEqual } from "node:crypto";

/** HMAC-SHA-256 in hex. */
export function macOf(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** Compares two MACs in constant time. */
export function isSameMac(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
