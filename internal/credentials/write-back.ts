import { open, realpath, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, errnoOf, randomHex, toError } from "../base/index.ts";
import type { Login } from "./login.ts";
import { isNewerLogin, mergeRenewal } from "./newer-login.ts";
import { readUpTo } from "./read-up-to.ts";

/** Read whole, or not taken for what it was. */
const FILE_MAX_BYTES = 32 * 1024;

/**
 * Puts what a lane's agent has renewed into the host's file, if it still is newer than what is there at that moment.
 * The file is replaced at once, with mode 0600; what it held before stays beside it as `<name>.lanekeeper-backup`.
 * Links are followed: the file that is meant is written. False when there was nothing to do.
 * @throws credentials.failed
 */
export async function writeLoginBack(
  agent: string,
  login: Login,
  lane: { readonly content: Buffer; readonly nowMs: number },
): Promise<boolean> {
  try {
    const path = await realpath(login.source);
    const host = await readUpTo(path, { maxBytes: FILE_MAX_BYTES, followLink: false });
    if (!host || !login.file) return false;
    // Whoever wrote it since then, as the user's own agent, may have a newer one.
    const now: Login = { ...login, file: { ...login.file, content: host } };
    if (!isNewerLogin(agent, now, lane.content, lane.nowMs)) return false;
    await replace(`${path}.lanekeeper-backup`, host);
    await replace(path, mergeRenewal(agent, host, lane.content));
    return true;
  } catch (caught) {
    throw new AppError({
      code: "credentials.failed",
      message: `the renewed login of ${agent} cannot be written to ${login.source} (${errnoOf(caught) ?? toError(caught).name})`,
      hint: `see who may write there, or set agents.${agent}.writeBack: false`,
      retry: "retryable",
      details: { agent },
    });
  }
}

async function replace(path: string, content: Buffer): Promise<void> {
  const draft = join(dirname(path), `.lanekeeper-${randomHex(8)}`);
  try {
    {
      await using file = await open(draft, "wx", 0o600);
      await file.writeFile(content);
      await file.sync();
    }
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}
