import { join } from "node:path";
import type { LoginSource } from "../agents/index.ts";
import { errnoOf, toError } from "../base/index.ts";
import {
  type Login,
  type LoginDigest,
  type LoginOwner,
  type LoginState,
  refusedLogin,
  stateAt,
  toEnvLogin,
  toFileLogin,
} from "./login.ts";
import { loginFileOf } from "./login-files/index.ts";
import { readUpTo } from "./read-up-to.ts";

/** Which source an agent's login is taken from; a path names the file itself. */
export type LoginChoice = "auto" | "env" | "file" | "none" | `/${string}`;

/** Where logins are looked for. */
export interface LoginPlaces {
  readonly choice: LoginChoice;
  /** laned's own environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The host user's home. */
  readonly home: string;
  /** A folder of credentials, whose files come before those of the home. */
  readonly folder: string | null;
  readonly digest: LoginDigest;
  readonly nowMs: number;
}

type EnvSource = Extract<LoginSource, { readonly kind: "env" }>;
type FileSource = Extract<LoginSource, { readonly kind: "file" }>;

/** Other variables of the host that hold the same kind of key. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  CODEX_API_KEY: ["OPENAI_API_KEY"],
  GEMINI_API_KEY: ["GOOGLE_API_KEY"],
};

/** No login file is near this size. */
const FILE_MAX_BYTES = 32 * 1024;
/** Shorter than any key: a placeholder. Also what redaction takes for an ordinary word. */
const KEY_MIN = 8;

/** Looks for an agent's login: the first source that is there is taken, also where it is refused then. Never rejects. */
export async function observeLogin(owner: LoginOwner, places: LoginPlaces): Promise<LoginState> {
  for (const source of sourcesOf(owner, places.choice)) {
    const state = source.kind === "env" ? observeEnv(owner, source, places) : await observeFile(owner, source, places);
    if (state) return stateAt(owner, state, logInHint(owner, places.choice), places.nowMs);
  }
  return { kind: "missing", hint: logInHint(owner, places.choice) };
}

/** The files that may hold an agent's login, the one that wins first. Absolute. */
export function loginPathsOf(owner: LoginOwner, places: Pick<LoginPlaces, "choice" | "home" | "folder">): string[] {
  return sourcesOf(owner, places.choice).flatMap((source) => (source.kind === "file" ? pathsOf(source, places) : []));
}

/** Every variable that may hold a key of the agent, whichever source is chosen: none of them may be shown. */
export function variablesOf(owner: LoginOwner): readonly string[] {
  return owner.logins.flatMap((source) => (source.kind === "env" ? namesOf(source) : []));
}

/** What to do on the host to have a login that can be used. */
export function logInHint(owner: LoginOwner, choice: LoginChoice): string {
  if (choice === "none") return `configuration says agents.${owner.name}.credentials: none`;
  const variables = choice === "auto" || choice === "env" ? owner.logins.filter(({ kind }) => kind === "env") : [];
  const ways = [
    ...(choice === "env" ? [] : [loginFileOf(owner.name)?.logIn]),
    ...(variables.length === 0 ? [] : [`start laned with ${variables.flatMap(nameOf).join(" or ")}`]),
  ];
  return ways.filter((way) => way !== undefined).join(", or ");
}

function sourcesOf({ logins }: LoginOwner, choice: LoginChoice): readonly LoginSource[] {
  if (choice === "none") return [];
  if (choice === "auto") return logins;
  return logins.filter(({ kind }) => kind === (choice === "env" ? "env" : "file"));
}

const nameOf = (source: LoginSource) => (source.kind === "env" ? [source.envName] : []);
const namesOf = (source: EnvSource) => [source.envName, ...(ALSO[source.envName] ?? [])];

function pathsOf(
  source: FileSource,
  { choice, home, folder }: Pick<LoginPlaces, "choice" | "home" | "folder">,
): string[] {
  if (choice.startsWith("/")) return [choice];
  return [...(folder === null ? [] : [join(folder, source.path)]), join(home, source.hostPath)];
}

/** Null where no variable is set; a blank one is not. */
function observeEnv(owner: LoginOwner, source: EnvSource, places: LoginPlaces): LoginState | null {
  const variable = namesOf(source).find((name) => (places.env[name] ?? "").trim() !== "");
  if (variable === undefined) return null;
  const value = (places.env[variable] ?? "").trim();
  const wrong = /[\s\p{Cc}]/u.test(value) ? "holds blanks" : value.length < KEY_MIN ? "is too short for a key" : null;
  if (wrong === null) {
    return { kind: "usable", login: toEnvLogin(owner, source, { variable, value, digest: places.digest }) };
  }
  const hint = `start laned with the key itself in ${variable}, or without that variable`;
  const error = refusedLogin(owner, `the variable ${variable}`, wrong, hint);
  return { kind: "refused", source: variable, error, last: null };
}

/** Null where there is no file. */
async function observeFile(owner: LoginOwner, source: FileSource, places: LoginPlaces): Promise<LoginState | null> {
  for (const path of pathsOf(source, places)) {
    const seen = await readLogin(owner, source, path, places.digest);
    if (typeof seen !== "string") return { kind: "usable", login: seen };
    if (seen === ABSENT) continue;
    const error = refusedLogin(owner, path, seen, logInHint(owner, places.choice));
    return { kind: "refused", source: path, error, last: null };
  }
  return null;
}

const ABSENT = "is not there";

/** The login, or why there is none. */
async function readLogin(
  owner: LoginOwner,
  source: FileSource,
  path: string,
  digest: LoginDigest,
): Promise<Login | string> {
  try {
    // In the user's own home links are the user's own doing, as of whoever keeps dotfiles elsewhere.
    const content = await readUpTo(path, { maxBytes: FILE_MAX_BYTES, followLink: true });
    if (content === null) return "is not a regular file";
    if (content.length > FILE_MAX_BYTES) return `is larger than ${FILE_MAX_BYTES / 1024} KiB`;
    const known = loginFileOf(owner.name);
    if (!known) return "is of an agent whose login files are not known";
    const check = known.check(content.toString("utf8"));
    return check.kind === "ok"
      ? toFileLogin(owner, source, { path, content, facts: check.facts, digest })
      : check.reason;
  } catch (caught) {
    const errno = errnoOf(caught);
    if (errno === "ENOENT" || errno === "ENOTDIR") return ABSENT;
    return errno === "EACCES" ? "may not be read by laned" : `cannot be read (${errno ?? toError(caught).message})`;
  }
}
