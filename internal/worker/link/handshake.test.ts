import { describe, expect, it } from "vitest";
import { hostProofText, LINK_CLOSE, LINK_PROTOCOL, workerProofText } from "../../protocol/index.ts";
import { type HandshakeState, isSameMac, macOf, stepHandshake } from "./handshake.ts";
import type { HandshakeFrame } from "./parse-handshake.ts";

const facts = { generation: 3, build: "ab".repeat(32), boot: "b1", spool: "s1", pid: 7 };
const secret = "5e".repeat(32);
const worker = { facts, secret, nonce: "22".repeat(16) };
const hostNonce = "11".repeat(16);
const hello: HandshakeFrame = { t: "hello", protocol: LINK_PROTOCOL, generation: 3, nonce: hostNonce };
const awaitsProof: HandshakeState = { awaits: "proof", hostNonce, workerNonce: worker.nonce };
const proof = (text: string, key = secret): HandshakeFrame => ({ t: "proof", mac: macOf(key, text) });
const hostText = hostProofText({ hostNonce, workerNonce: worker.nonce, generation: 3 });

describe("the worker's side of the handshake", () => {
  it("answers hello with its proof, and a right proof with yes", () => {
    const step = stepHandshake({ awaits: "hello" }, hello, worker);
    const mac = macOf(secret, workerProofText({ ...facts, hostNonce, workerNonce: worker.nonce }));
    expect(step).toEqual({
      kind: "send",
      frame: { t: "challenge", protocol: LINK_PROTOCOL, nonce: worker.nonce, ...facts, mac },
      state: awaitsProof,
    });
    expect(stepHandshake(awaitsProof, proof(hostText), worker)).toEqual({ kind: "proven" });
  });

  it("draws a nonce of its own for every host", () => {
    const nonces = [1, 2, 3].map(() => {
      const step = stepHandshake({ awaits: "hello" }, hello, { facts, secret });
      return step.kind === "send" && step.frame.t === "challenge" ? step.frame.nonce : "";
    });
    expect(new Set(nonces).size).toBe(3);
  });

  it.each<[string, HandshakeState, HandshakeFrame, keyof typeof LINK_CLOSE]>([
    ["another generation", { awaits: "hello" }, { ...hello, generation: 2 } as HandshakeFrame, "generation"],
    ["a newer generation", { awaits: "hello" }, { ...hello, generation: 4 } as HandshakeFrame, "generation"],
    ["another version", { awaits: "hello" }, { ...hello, protocol: 99 } as HandshakeFrame, "version"],
    ["a proof before hello", { awaits: "hello" }, proof(hostText), "protocol"],
    ["hello twice", awaitsProof, hello, "protocol"],
    ["a proof under another secret", awaitsProof, proof(hostText, "00".repeat(32)), "unauthorized"],
    // The worker's own proof sent back must not pass for the host's.
    [
      "its own proof reflected",
      awaitsProof,
      proof(workerProofText({ ...facts, hostNonce, workerNonce: worker.nonce })),
      "unauthorized",
    ],
    [
      "the proof of an earlier handshake",
      awaitsProof,
      proof(hostProofText({ hostNonce, workerNonce: "33".repeat(16), generation: 3 })),
      "unauthorized",
    ],
  ])("closes at %s", (_name, state, frame, code) => {
    expect(stepHandshake(state, frame, worker)).toMatchObject({ kind: "close", code: LINK_CLOSE[code] });
  });

  it("compares MACs of any length", () => {
    expect(isSameMac("aa", "aa")).toBe(true);
    expect(isSameMac("aa", "ab")).toBe(false);
    expect(isSameMac("aa", "aaa")).toBe(false);
  });
});
