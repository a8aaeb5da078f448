import type { Logger } from "pino";
import { AppError, hasCode, withDeadline } from "../base/index.ts";
import {
  type CredentialSource,
  checkManifest,
  openCredentialSource,
  secretsOf,
  setOf,
  toCredentialFiles,
} from "../credentials/index.ts";
import type { ApiLane } from "../protocol/index.ts";
import type { Credentials } from "../supervisor/index.ts";
import type { DaemonLink } from "./worker-links.ts";

/** The worker's own limit comes first; this is for one that does not answer at all. */
const DELIVER_MS = 10_000;

/** The host's credential folder, and how lanes get what it holds. */
export interface CredentialDesk extends Credentials<DaemonLink>, AsyncDisposable {
  /** What must not be seen in any output. For redaction only. */
  secrets(): readonly string[];
  /** As a lane shows it whose worker has last confirmed `digest`. Never values. */
  show(digest: string | null): ApiLane["credentials"];
}

/** What the desk works with. */
export interface CredentialDeskDeps {
  readonly folder: string;
  readonly log: Logger;
  /** Uid of a generation's agent, as seen in its container. */
  readonly agentUid: (laneId: string, generation: number) => number | null;
  /** The folder's content has changed, or it cannot be used any more. `secrets` as the desk says them then. */
  readonly onChange: (secrets: readonly string[]) => void;
}

/** Opens the desk over a folder, which need not exist yet. It has been read when this resolves. */
export async function openCredentialDesk(deps: CredentialDeskDeps): Promise<CredentialDesk> {
  const { folder, log } = deps;
  const source = await openCredentialSource(folder, {
    changed: () => {
      logState(source, log);
      deps.onChange(secretsIn(source));
    },
    degraded: (err) => log.warn({ folder, err }, "credential folder is not watched well"),
  });
  logState(source, log);
  return {
    deliver: async (link, { signal }) => {
      const set = setOf(source.state);
      if (!set) throw refusalOf(source) ?? new AppError({ code: "internal.bug", message: "no credentials, no reason" });
      const agentUid = deps.agentUid(link.laneId, link.generation);
      const makeError = () => failed(link.laneId, `its worker did not answer within ${DELIVER_MS / 1000} s`);
      try {
        const manifest = await withDeadline({ ms: DELIVER_MS, signal, makeError }, (within) =>
          link.deliverCredentials(toCredentialFiles(set), { signal: within }),
        );
        checkManifest(set, manifest, { id: link.laneId, agentUid: agentUid ?? -1 });
      } catch (caught) {
        if (hasCode(caught, "worker.refused")) throw failed(link.laneId, String(caught.details.message), caught);
        throw caught;
      }
      return set.files.length === 0 ? null : set.digest;
    },
    refusal: () => refusalOf(source),
    secrets: () => secretsIn(source),
    show: (digest) => ({ folder: { state: stateOf(source, digest), source: folder, expiresAt: null } }),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

function secretsIn({ state }: CredentialSource): readonly string[] {
  const set = setOf(state);
  return set ? secretsOf(set) : [];
}

function refusalOf({ state }: CredentialSource): AppError | null {
  return state.kind === "refused" ? state.error : null;
}

function stateOf({ state }: CredentialSource, digest: string | null): "delivered" | "pending" | "refused" {
  if (state.kind === "refused") return "refused";
  return digest === state.set.digest ? "delivered" : "pending";
}

function logState({ state, folder }: CredentialSource, log: Logger): void {
  if (state.kind === "refused") log.warn({ folder, err: state.error }, "credential folder refused");
  else {
    const { files, digest } = state.set;
    log.info({ folder, files: files.length, digest: digest.slice(0, 12) }, "credential folder read");
  }
}

function failed(laneId: string, why: string, cause?: unknown): AppError {
  return new AppError({
    code: "credentials.failed",
    message: `lane ${laneId} could not take its credentials: ${why}`,
    hint: "mend that in the agent's home, or take the file out of the credential folder; it is tried again",
    retry: "retryable",
    cause,
  });
}
