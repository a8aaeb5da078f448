import { findAgent } from "../../agents/index.ts";
import { AppError } from "../../base/index.ts";
import { type LoginOwner, loginIn } from "../../credentials/index.ts";
import type { CredentialService } from "../../hostapi/index.ts";
import type { ApiCredential } from "../../protocol/index.ts";
import type { Core } from "../core.ts";
import { toIso } from "./show-credentials.ts";

/** So many lanes are named in a sentence. */
const NAMED_MAX = 5;

/** Logins as the host API needs them: what the desk knows, and the lanes that have them. */
export function createCredentialService({ accounts, credentials, supervisor }: Core): CredentialService {
  function toApi({ name, title }: LoginOwner): ApiCredential {
    const state = credentials.stateOf(name);
    const login = loginIn(state);
    const lanes = supervisor
      .list()
      .flatMap((seen) => (credentials.isDelivered(name, seen.credentials) ? [seen.lane.name] : []));
    const isShared = login?.rotates === true && lanes.length > 1;
    return {
      agent: name,
      title,
      state: state.kind,
      source: state.kind === "refused" ? state.source : (login?.source ?? null),
      expiresAt: toIso(login?.expiresAtMs ?? null),
      account: login?.account.slice(0, 12) ?? null,
      reason:
        state.kind === "refused"
          ? { message: state.error.message, ...(state.error.hint ? { hint: state.error.hint } : {}) }
          : state.kind === "missing"
            ? { message: `${title} has no login`, hint: state.hint }
            : null,
      warning: isShared ? sharedWarning(lanes) : null,
      lanes,
    };
  }

  return {
    list: () => credentials.owners.map(toApi),
    refresh: async (agent, opts) => {
      const { name, title } = findAgent(agent);
      const owner = credentials.owners.find((one) => one.name === name);
      if (!owner) throw new AppError({ code: "usage.invalid", message: `${title} needs no login` });
      const changed = await credentials.renewLogin(name, opts);
      // Somebody has seen to it: what the account was held for is to be found out anew.
      const login = loginIn(credentials.stateOf(name));
      if (login) accounts.renew(login.account);
      return { ...toApi(owner), changed };
    },
  };
}

function sharedWarning(lanes: readonly string[]): string {
  const more = lanes.length - NAMED_MAX;
  const names = lanes.slice(0, NAMED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
  return (
    `its refresh token works once, and is in ${lanes.length} lanes (${names}): the first that renews it logs the ` +
    "others out; better is an API key or a long-lived token"
  );
}
