import type { AgentFile } from "../../agents/index.ts";
import { isCredentialPath } from "../../protocol/link-terms.ts";
import type { ProcessIdentity } from "../identity.ts";
import { callPlacer } from "./placer.ts";

/** What placing an agent's settings needs. */
export interface SettingsDeps {
  readonly home: string;
  readonly identity: ProcessIdentity;
  readonly placer: readonly string[];
}

const PLACER_MS = 6000;

/** Puts settings into files below the agent's home, as the agent's user. Null when it is done, else why not. Never rejects. */
export async function placeSettings(deps: SettingsDeps, settings: readonly AgentFile[]): Promise<string | null> {
  const bad = settings.find(({ path }) => !isCredentialPath(path));
  if (bad !== undefined) return `${JSON.stringify(bad.path)} is not a path below the agent's home`;
  const { identity, placer, home } = deps;
  const end = await callPlacer(
    { identity, argv: placer, timeoutMs: PLACER_MS },
    { home, files: [], remove: [], settings },
  );
  if (end.kind === "failed") return end.reason;
  const refused = /"kind":"refused","path":("(?:[^"\\]|\\.)*"),"errno":"(E[A-Z0-9]+)"/.exec(end.text);
  return refused ? `${refused[1]}: ${refused[2]}` : null;
}
