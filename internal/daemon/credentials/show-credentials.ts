import type { CredentialSource, LoginState } from "../../credentials/index.ts";
import { loginIn } from "../../credentials/index.ts";
import type { ApiLane } from "../../protocol/index.ts";

type Entry = ApiLane["credentials"][string];

/** The folder as a lane shows it. */
export function folderEntry({ state, folder }: CredentialSource, isDelivered: boolean): Entry {
  const entry = { source: folder, expiresAt: null };
  if (state.kind === "refused") return { ...entry, state: "refused", reason: state.error.message };
  return { ...entry, state: isDelivered ? "delivered" : "pending" };
}

/** An agent's login as a lane shows it. `usable`: it goes to the agent's process itself, so there is nothing to deliver. */
export function loginEntry(state: LoginState, isDelivered: boolean): Entry {
  const expiresAt = toIso(loginIn(state)?.expiresAtMs ?? null);
  if (state.kind === "missing") return { state: "missing", source: null, expiresAt, reason: state.hint };
  if (state.kind === "refused") {
    return { state: "refused", source: state.source, expiresAt, reason: state.error.message };
  }
  const { file, source } = state.login;
  return { state: file === null ? "usable" : isDelivered ? "delivered" : "pending", source, expiresAt };
}

/** A time of the API. */
export function toIso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
