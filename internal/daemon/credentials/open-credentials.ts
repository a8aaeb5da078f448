import { join } from "node:path";
import type { Logger } from "pino";
import { AGENTS } from "../../agents/index.ts";
import type { AgentSettings, Paths, Settings } from "../../config/index.ts";
import { createLoginDigest, variablesOf } from "../../credentials/index.ts";
import { loadOrCreateToken } from "../../hostapi/index.ts";
import { type CredentialDesk, type CredentialDeskDeps, openCredentialDesk } from "./credential-desk.ts";
import { openDeliveryMark } from "./delivery-mark.ts";

/** Names of all variables that may hold a key of an agent: nothing that laned starts is to have them. */
export function loginVariables(): readonly string[] {
  return AGENTS.flatMap(variablesOf);
}

/** The installation, as far as credentials go. */
export interface CredentialOptions {
  readonly settings: Settings;
  readonly paths: Paths;
  readonly log: Logger;
  /** laned's own environment, where keys of agents may be, and the user's home, where their login files are. */
  readonly loginEnv: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

/** Opens the desk of this installation, as configuration says. @throws config.invalid when the salt cannot be used */
export async function openCredentials(
  { settings, paths, log, loginEnv, home }: CredentialOptions,
  deps: Omit<CredentialDeskDeps, "folder" | "logins" | "writesBack" | "mark" | "log">,
): Promise<CredentialDesk> {
  const settingsOf = (agent: string): AgentSettings | null =>
    Object.hasOwn(settings.agents, agent) ? settings.agents[agent as keyof Settings["agents"]] : null;
  return openCredentialDesk({
    ...deps,
    folder: settings.credentials.folder,
    logins: {
      owners: AGENTS.filter(({ logins }) => logins.length > 0),
      choiceOf: (agent) => settingsOf(agent)?.credentials ?? "auto",
      syncCommandOf: (agent) => settingsOf(agent)?.syncCommand ?? null,
      env: loginEnv,
      home,
      digest: createLoginDigest(await loadOrCreateToken(join(paths.state.dir, "login-salt"))),
    },
    writesBack: (agent) => settingsOf(agent)?.writeBack ?? false,
    mark: openDeliveryMark(join(paths.state.dir, "credentials-delivered")),
    log: log.child({ component: "credentials" }),
  });
}
