import { createHash } from "node:crypto";
import { AppError } from "../base/index.ts";
import type { CredentialFile, CredentialProof } from "../protocol/index.ts";

/** One credential file. Its content is for the link to a lane's worker only: never for logs, errors or records. */
export interface Credential {
  /** Relative to the folder, and to the agent's home. */
  readonly path: string;
  readonly content: Buffer;
}

/** What a credential folder holds. */
export interface CredentialSet {
  /** SHA-256 in hex: see {@link digestOf}. */
  readonly digest: string;
  /** In the order of the digest. */
  readonly files: readonly Credential[];
}

/** The permission bits that a delivered file has. */
const FILE_MODE = 0o600;

/** A set of these files, in order. */
export function toCredentialSet(files: readonly Credential[]): CredentialSet {
  const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { digest: digestOf(sorted), files: sorted };
}

/** No credentials. */
export const NO_CREDENTIALS: CredentialSet = toCredentialSet([]);

/** SHA-256 over each name and its content, both ended by a NUL; names sorted by their bytes. */
function digestOf(sorted: readonly Credential[]): string {
  const hash = createHash("sha256");
  for (const { path, content } of sorted) hash.update(path).update("\0").update(content).update("\0");
  return hash.digest("hex");
}

/** A set as it crosses the link. */
export function toCredentialFiles(set: CredentialSet): readonly CredentialFile[] {
  return set.files.map(({ path, content }) => ({ path, base64: content.toString("base64") }));
}

/**
 * Is what a lane measured just what was sent: the same files, byte for byte, private, and the agent's own?
 * @throws credentials.failed (retryable), naming the first file that is not
 */
export function checkManifest(
  set: CredentialSet,
  manifest: readonly CredentialProof[],
  lane: { readonly id: string; readonly agentUid: number },
): void {
  const measured = new Map(manifest.map((proof) => [proof.path, proof]));
  for (const { path, content } of set.files) {
    const proof = measured.get(path);
    if (!proof) throw mismatch(lane.id, path, "is not there");
    const sha256 = createHash("sha256").update(content).digest("hex");
    if (proof.sha256 !== sha256) throw mismatch(lane.id, path, "has another content than was sent");
    if (proof.mode !== FILE_MODE) throw mismatch(lane.id, path, `has mode ${proof.mode.toString(8)}, not 600`);
    if (proof.uid !== lane.agentUid) {
      throw mismatch(lane.id, path, `belongs to uid ${proof.uid}, not to the agent (${lane.agentUid})`);
    }
  }
  if (manifest.length === set.files.length) return;
  throw mismatch(lane.id, `${manifest.length} files`, `were measured where ${set.files.length} were sent`);
}

function mismatch(laneId: string, path: string, what: string): AppError {
  return new AppError({
    code: "credentials.failed",
    message: `lane ${laneId}: of its credentials, ${path} ${what}`,
    hint: "something in the lane changes them while they are being delivered; it is tried again",
    retry: "retryable",
  });
}
