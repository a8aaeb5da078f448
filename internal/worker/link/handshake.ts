import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { WorkerFrame } from "../../protocol/index.ts";
import { hostProofText, LINK_CLOSE, workerProofText } from "../../protocol/link-terms.ts";
import { LINK_PROTOCOL } from "../../protocol/versions.ts";
import type { HandshakeFrame } from "./parse-handshake.ts";

/** What the worker says of itself. */
export interface WorkerFacts {
  readonly generation: number;
  /** Content hash of the binaries. */
  readonly build: string;
  /** Random per process. */
  readonly boot: string;
  /** Random per volume. */
  readonly spool: string;
  readonly pid: number;
}

/** HMAC-SHA-256 in hex. */
export function macOf(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** Compares two MACs in constant time. */
export function isSameMac(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** Where a handshake stands: which frame is the only one allowed next. */
export type HandshakeState =
  | { readonly awaits: "hello" }
  | { readonly awaits: "proof"; readonly hostNonce: string; readonly workerNonce: string };

/** What a frame of an unproven host leads to. */
export type HandshakeStep =
  | { readonly kind: "send"; readonly frame: WorkerFrame; readonly state: HandshakeState }
  | { readonly kind: "proven" }
  | { readonly kind: "close"; readonly code: number; readonly reason: string };

/** Decides one step of the handshake, the worker's side. `nonce` is given in tests only. */
export function stepHandshake(
  state: HandshakeState,
  frame: HandshakeFrame,
  worker: { readonly facts: WorkerFacts; readonly secret: string; readonly nonce?: string },
): HandshakeStep {
  const { facts, secret } = worker;
  if (state.awaits === "hello") {
    if (frame.t !== "hello") return close("protocol", "hello expected");
    if (frame.protocol !== LINK_PROTOCOL) return close("version", `link version ${LINK_PROTOCOL} is spoken here`);
    if (frame.generation !== facts.generation) return close("generation", `this is generation ${facts.generation}`);
    const workerNonce = worker.nonce ?? randomBytes(16).toString("hex");
    const mac = macOf(secret, workerProofText({ ...facts, hostNonce: frame.nonce, workerNonce }));
    return {
      kind: "send",
      frame: { t: "challenge", protocol: LINK_PROTOCOL, nonce: workerNonce, ...facts, mac },
      state: { awaits: "proof", hostNonce: frame.nonce, workerNonce },
    };
  }
  if (frame.t !== "proof") return close("protocol", "proof expected");
  const expected = macOf(secret, hostProofText({ ...state, generation: facts.generation }));
  return isSameMac(expected, frame.mac) ? { kind: "proven" } : close("unauthorized", "wrong proof");
}

function close(code: keyof typeof LINK_CLOSE, reason: string): HandshakeStep {
  return { kind: "close", code: LINK_CLOSE[code], reason };
}
