import { AppError, hasCode, withDeadline } from "../../base/index.ts";
import { type CredentialSet, checkManifest, toCredentialFiles } from "../../credentials/index.ts";
import type { DaemonLink } from "../worker-links.ts";

/** The worker's own limit comes first; this is for one that does not answer at all. */
const DELIVER_MS = 10_000;

/**
 * Has the lane's worker place these files and no others, and proves by its manifest that they are there as sent.
 * @throws credentials.failed (retryable), worker.unreachable
 */
export async function deliverCredentials(
  link: DaemonLink,
  set: CredentialSet,
  opts: { readonly agentUid: number | null; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const makeError = () => failedDelivery(link.laneId, `its worker did not answer within ${DELIVER_MS / 1000} s`);
  try {
    const manifest = await withDeadline({ ms: DELIVER_MS, signal: opts.signal, makeError }, (within) =>
      link.deliverCredentials(toCredentialFiles(set), { signal: within }),
    );
    checkManifest(set, manifest, { id: link.laneId, agentUid: opts.agentUid ?? -1 });
  } catch (caught) {
    if (hasCode(caught, "worker.refused")) throw failedDelivery(link.laneId, String(caught.details.message), caught);
    throw caught;
  }
}

/** That a lane could not take its credentials, and why. */
export function failedDelivery(laneId: string, why: string, cause?: unknown): AppError {
  return new AppError({
    code: "credentials.failed",
    message: `lane ${laneId} could not take its credentials: ${why}`,
    hint: "mend that in the agent's home, or take the file out of the credential folder; it is tried again",
    retry: "retryable",
    cause,
  });
}
