import type { AgentFile } from "../../agents/index.ts";
import type { JobError } from "../../job/index.ts";
import { placeSettings, type SettingsDeps } from "../placement/settings.ts";
import { createAgentReader } from "./agent-reader.ts";
import type { NewReader } from "./run-attempt.ts";

/** A prompt's agent, ready to be started, or why it cannot be. */
export type PreparedAgent =
  | { readonly kind: "ready"; readonly newReader: NewReader }
  | { readonly kind: "failed"; readonly error: JobError };

/** Puts the agent's settings in place and finds the reader of its stream. Never rejects. */
export async function prepareAgent(
  deps: SettingsDeps,
  agent: string,
  files: readonly AgentFile[],
): Promise<PreparedAgent> {
  const newReader: NewReader = (sink) => createAgentReader(agent, sink);
  const reason = files.length === 0 ? null : await placeSettings(deps, files);
  if (reason === null) return { kind: "ready", newReader };
  const message = `not started: the settings of ${agent} could not be written: ${reason}`;
  return { kind: "failed", error: { code: "start_failed", message: message.slice(0, 4096) } };
}
