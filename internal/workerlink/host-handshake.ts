import { type HostFrame, hostProofText, LINK_PROTOCOL, type WorkerFrame, workerProofText } from "../protocol/index.ts";
import { isSameMac, macOf } from "./mac.ts";

/** Which worker is expected. */
export interface LinkTarget {
  readonly laneId: string;
  readonly generation: number;
  readonly secret: string;
  /** Content hash of the binaries; null when any will do. */
  readonly build: string | null;
}

/** The worker's proof. */
export type Challenge = Extract<WorkerFrame, { readonly t: "challenge" }>;

/** What a challenge leads to. */
export type ChallengeVerdict =
  | { readonly kind: "proven"; readonly proof: HostFrame }
  /** It does not know this lane's secret. */
  | { readonly kind: "impostor" }
  /** A worker of this lane, but not the one expected. */
  | { readonly kind: "refused"; readonly word: "version" | "generation" | "build"; readonly reason: string };

/** The first frame; it holds nothing secret. */
export function toHello(target: LinkTarget, nonce: string): HostFrame {
  return { t: "hello", protocol: LINK_PROTOCOL, generation: target.generation, nonce };
}

/** Checks the worker's proof before anything of ours is proven. Pure. */
export function judgeChallenge(challenge: Challenge, hostNonce: string, target: LinkTarget): ChallengeVerdict {
  const { nonce: workerNonce, generation, build } = challenge;
  const text = workerProofText({ ...challenge, hostNonce, workerNonce });
  if (!isSameMac(challenge.mac, macOf(target.secret, text))) return { kind: "impostor" };
  if (challenge.protocol !== LINK_PROTOCOL) return refused("version", `it speaks link version ${challenge.protocol}`);
  if (generation !== target.generation) {
    return refused("generation", `it is generation ${generation}, not ${target.generation}`);
  }
  if (target.build !== null && build !== target.build) return refused("build", `it is build ${build.slice(0, 12)}`);
  const mac = macOf(target.secret, hostProofText({ hostNonce, workerNonce, generation }));
  return { kind: "proven", proof: { t: "proof", mac } };
}

function refused(word: "version" | "generation" | "build", reason: string): ChallengeVerdict {
  return { kind: "refused", word, reason };
}
