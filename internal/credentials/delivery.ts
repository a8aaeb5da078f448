import { AppError } from "../base/index.ts";
import { CREDENTIAL_LIMITS } from "../protocol/index.ts";
import { type CredentialSet, NO_CREDENTIALS, toCredentialSet } from "./credential-set.ts";
import type { Login, LoginState } from "./login.ts";

/** The login that an agent works with now: a refused one leaves the one before it in use. Null for none. */
export function loginIn(state: LoginState): Login | null {
  if (state.kind === "usable") return state.login;
  return state.kind === "refused" ? state.last : null;
}

/** The set with other contents in these paths. Pure. */
export function withContents(set: CredentialSet, contents: ReadonlyMap<string, Buffer>): CredentialSet {
  if (contents.size === 0) return set;
  return toCredentialSet(set.files.map(({ path, content }) => ({ path, content: contents.get(path) ?? content })));
}

/**
 * What lanes are to have: the folder's files, and those of the logins. A login that was read from the folder has been
 * checked there: its file is delivered as the login says, or not at all. Pure.
 * @throws credentials.refused when it is more than one delivery may hold
 */
export function toDelivery(
  folder: { readonly path: string; readonly set: CredentialSet | null } | null,
  logins: readonly LoginState[],
): CredentialSet {
  const files = new Map((folder?.set ?? NO_CREDENTIALS).files.map((file) => [file.path, file]));
  for (const state of logins) {
    if (folder && state.kind === "refused" && state.source.startsWith(`${folder.path}/`)) {
      files.delete(state.source.slice(folder.path.length + 1));
    }
    const file = loginIn(state)?.file;
    if (file) files.set(file.path, file);
  }
  const all = [...files.values()];
  const bytes = all.reduce((sum, { content }) => sum + content.length, 0);
  if (all.length <= CREDENTIAL_LIMITS.files && bytes <= CREDENTIAL_LIMITS.totalBytes) return toCredentialSet(all);
  const { files: most, totalBytes } = CREDENTIAL_LIMITS;
  throw new AppError({
    code: "credentials.refused",
    message: `credential folder and logins hold ${all.length} files, ${bytes} bytes; at most ${most}, ${totalBytes}`,
    hint: `take files out of ${folder?.path ?? "the credential folder"}`,
  });
}
