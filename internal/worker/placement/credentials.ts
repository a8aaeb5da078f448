import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { JobError } from "../../job/index.ts";
import { credentialFileSchema } from "../../protocol/credential-file.ts";
// Not through the package's index: that builds the schemas of the host API too.
import type { CredentialFile } from "../../protocol/index.ts";
import { CREDENTIAL_LIMITS, CREDENTIAL_READ_MAX, isCredentialPath } from "../../protocol/link-terms.ts";
import { type CredentialProof, credentialProofSchema } from "../../protocol/worker-frames.ts";
import type { ProcessIdentity } from "../identity.ts";
import type { WorkerLog } from "../log.ts";
import { callPlacer, type PlacerEnd } from "./placer.ts";

/** Answer to a delivery. */
export type CredentialReply =
  | { readonly kind: "ok"; readonly manifest: CredentialProof[] }
  | { readonly kind: "refused"; readonly error: JobError };

/** Answer to a question for contents. */
export type ContentReply =
  | { readonly kind: "ok"; readonly files: CredentialFile[] }
  | { readonly kind: "refused"; readonly error: JobError };

/** The credential files in the agent's home. */
export interface Credentials {
  /**
   * Places exactly these files: what an earlier delivery placed and this one does not name is removed. One delivery
   * after the other, in the order they came. Never rejects.
   */
  deliver(files: readonly CredentialFile[]): Promise<CredentialReply>;
  /** What is in these files, of those that are there; after all deliveries before it. Never rejects. */
  read(paths: readonly string[]): Promise<ContentReply>;
}

/** What deliveries need. */
export interface CredentialDeps {
  /** The agent's home. */
  readonly home: string;
  /** The worker's own note of which paths it has placed; on the volume, so that the next worker can remove them. */
  readonly notePath: string;
  readonly identity: ProcessIdentity;
  /** The program that places files, as it is executed under the identity. */
  readonly placer: readonly string[];
  readonly log: WorkerLog;
  readonly timeoutMs?: number | undefined;
}

/** About 60 ms on a quiet machine. */
const PLACER_MS = 6000;

/** The credentials of this lane. Only loaded once the host delivers some: it loads zod. */
export function createCredentials(deps: CredentialDeps): Credentials {
  let last: Promise<unknown> = Promise.resolve();
  return {
    deliver: (files) => {
      const reply = last.then(() => deliver(deps, files));
      last = reply;
      return reply;
    },
    read: (paths) => {
      const reply = last.then(() => read(deps, paths));
      last = reply;
      return reply;
    },
  };
}

async function deliver(deps: CredentialDeps, files: readonly CredentialFile[]): Promise<CredentialReply> {
  const { log, notePath, home, identity, placer, timeoutMs = PLACER_MS } = deps;
  const paths = files.map(({ path }) => path);
  const bad = paths.find((path, i) => !isCredentialPath(path) || paths.indexOf(path) !== i);
  if (bad !== undefined) return refuse("bad_path", `${JSON.stringify(bad)} is not a path below the agent's home`);
  const remove = readNote(deps).filter((path) => !paths.includes(path));
  if (paths.length + remove.length === 0) return { kind: "ok", manifest: [] };
  try {
    // On record before anything is placed: whatever happens now, the next delivery knows of it.
    writeNote(notePath, [...remove, ...paths]);
    const end = await callPlacer({ identity, argv: placer, timeoutMs }, { home, files, remove });
    const reply = toReply(end, [...remove, ...paths]);
    if (reply.kind === "refused") log.warn("credentials not placed", { error: reply.error });
    else {
      writeNote(notePath, paths);
      log.info("credentials placed", { files: paths.length, removed: remove.length });
    }
    return reply;
  } catch (caught) {
    const { code = "EUNKNOWN" } = caught as NodeJS.ErrnoException;
    log.error("credentials not placed", { code });
    return refuse("not_placed", `the worker could not prepare it (${code})`);
  }
}

async function read(
  { home, identity, placer, timeoutMs = PLACER_MS }: CredentialDeps,
  paths: readonly string[],
): Promise<ContentReply> {
  try {
    const end = await callPlacer({ identity, argv: placer, timeoutMs }, { home, read: paths });
    if (end.kind === "failed") return refuse("not_read", `the process that reads them: ${end.reason}`);
    const answer = parseAnswer(end.text);
    const files = credentialFileSchema.array().max(CREDENTIAL_READ_MAX).safeParse(answer?.files);
    const isAsked = files.success && files.data.every(({ path }) => paths.includes(path));
    if (isAsked) return { kind: "ok", files: files.data };
    return refuse("not_read", "the process that reads them gave no answer that makes sense");
  } catch (caught) {
    const { code = "EUNKNOWN" } = caught as NodeJS.ErrnoException;
    return refuse("not_read", `the worker could not begin it (${code})`);
  }
}

/** The placer runs as the agent, who may well have forged its answer: it is only ever believed about the agent's own. */
function toReply(end: PlacerEnd, ordered: readonly string[]): CredentialReply {
  if (end.kind === "failed") return refuse("not_placed", `the process that places them: ${end.reason}`);
  const answer = parseAnswer(end.text);
  if (answer?.kind === "ok") {
    const manifest = credentialProofSchema.array().max(CREDENTIAL_LIMITS.files).safeParse(answer.manifest);
    if (manifest.success) return { kind: "ok", manifest: manifest.data };
  }
  const path = ordered.find((one) => one === answer?.path);
  const errno = /^E[A-Z0-9]{1,20}$/.exec(String(answer?.errno))?.[0];
  if (answer?.kind !== "refused" || path === undefined || errno === undefined)
    return refuse("not_placed", "the process that places them gave no answer that makes sense");
  return refuse("not_placed", `${path}: ${WORDS[errno] ?? errno}`);
}

/** What usually is in the way. */
const WORDS: Readonly<Record<string, string>> = {
  EISDIR: "a folder is in its place",
  ENOTDIR: "something else is in the place of its folder",
  ELOOP: "a symbolic link is in its way",
  ENOSPC: "the lane's volume is full",
  EDQUOT: "the lane's volume is full",
  EACCES: "the agent's user may not write there",
  EPERM: "the agent's user may not write there",
};

function parseAnswer(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" ? (answer as Readonly<Record<string, unknown>> | null) : null;
  } catch {
    return null;
  }
}

/** No note, or one that cannot be read, is an empty one: then nothing is removed. */
function readNote({ notePath, log }: CredentialDeps): readonly string[] {
  try {
    const paths = JSON.parse(readFileSync(notePath, "utf8")) as unknown;
    return Array.isArray(paths) ? paths.filter((path) => typeof path === "string" && isCredentialPath(path)) : [];
  } catch (caught) {
    const { code } = caught as NodeJS.ErrnoException;
    if (code !== "ENOENT") log.warn("the note of placed credentials cannot be read", { code });
    return [];
  }
}

function writeNote(path: string, paths: readonly string[]): void {
  const draft = `${path}.new`;
  writeFileSync(draft, JSON.stringify(paths), { mode: 0o600 });
  renameSync(draft, path);
}

function refuse(code: string, message: string): { readonly kind: "refused"; readonly error: JobError } {
  return { kind: "refused", error: { code, message: message.slice(0, 4096) } };
}
