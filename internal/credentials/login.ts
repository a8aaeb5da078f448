import { createHmac } from "node:crypto";
import type { LoginName, LoginSource } from "../agents/index.ts";
import { AppError } from "../base/index.ts";
import type { Credential } from "./credential-set.ts";
import type { LoginFacts } from "./login-files/index.ts";

/** An agent as far as its login goes. */
export interface LoginOwner {
  readonly name: string;
  readonly title: string;
  /** Best first. */
  readonly logins: readonly LoginSource[];
}

/** A login that can be used. `env` and `files` are secret: for an agent's process and for the link to a lane only. */
export interface Login {
  readonly name: LoginName;
  /** Where it is from, for people: a variable's name or a file's path. */
  readonly source: string;
  /** Salted digest of what stands for the login; there is no way back from it. */
  readonly account: string;
  /** Salted digest of all of it: another one after each renewal. */
  readonly revision: string;
  /** For the agent's process only. */
  readonly env: Readonly<Record<string, string>>;
  /** For the agent's home. */
  readonly file: Credential | null;
  /** When its present token ends, ms since the epoch; a renewable one lives on. Null where that is not known. */
  readonly expiresAtMs: number | null;
  /** When nothing can renew it any more; null for never, or not known. */
  readonly endsAtMs: number | null;
  /** Its refresh token works once: a renewal in one place logs all others out. */
  readonly rotates: boolean;
}

/** How an agent stands with its login. */
export type LoginState =
  | { readonly kind: "usable"; readonly login: Login }
  /** There is nothing to log in with. */
  | { readonly kind: "missing"; readonly hint: string }
  /** What is there cannot be used. `last`: what was there when it could; lanes keep it. */
  | { readonly kind: "refused"; readonly source: string; readonly error: AppError; readonly last: Login | null };

/** Makes salted digests; the salt is the installation's own. */
export type LoginDigest = (agent: string, what: "account" | "revision", secret: string) => string;

/** Digests by HMAC-SHA-256: without the salt, nobody can try keys against them. */
export function createLoginDigest(salt: string): LoginDigest {
  return (agent, what, secret) => createHmac("sha256", salt).update(`${agent}\0${what}\0${secret}`).digest("hex");
}

/** A login of a variable. */
export function toEnvLogin(
  owner: LoginOwner,
  source: Extract<LoginSource, { readonly kind: "env" }>,
  found: { readonly variable: string; readonly value: string; readonly digest: LoginDigest },
): Login {
  const { variable, value, digest } = found;
  return {
    name: source.name,
    source: variable,
    account: digest(owner.name, "account", value),
    revision: digest(owner.name, "revision", value),
    env: { [source.envName]: value },
    file: null,
    expiresAtMs: null,
    endsAtMs: null,
    rotates: false,
  };
}

/** A login of a file. */
export function toFileLogin(
  owner: LoginOwner,
  source: Extract<LoginSource, { readonly kind: "file" }>,
  found: {
    readonly path: string;
    readonly content: Buffer;
    readonly facts: LoginFacts;
    readonly digest: LoginDigest;
  },
): Login {
  const { path, content, facts, digest } = found;
  return {
    name: source.name,
    source: path,
    account: digest(owner.name, "account", facts.secret),
    revision: digest(owner.name, "revision", content.toString("latin1")),
    env: {},
    file: { path: source.path, content },
    expiresAtMs: facts.expiresAtMs,
    endsAtMs: facts.endsAtMs,
    rotates: facts.rotates,
  };
}

/** The state as it is at this moment: what has come to its end meanwhile is refused. Pure. */
export function stateAt(owner: LoginOwner, state: LoginState, hint: string, nowMs: number): LoginState {
  if (state.kind === "missing") return state;
  const login = state.kind === "usable" ? state.login : state.last;
  if (login === null || login.endsAtMs === null || login.endsAtMs > nowMs) return state;
  if (state.kind === "refused") return { ...state, last: null };
  const error = refusedLogin(owner, login.source, `has expired at ${new Date(login.endsAtMs).toISOString()}`, hint);
  return { kind: "refused", source: login.source, error, last: null };
}

/** What is said of a source that cannot be used. `reason` must not quote anything of it. */
export function refusedLogin(owner: LoginOwner, source: string, reason: string, hint: string): AppError {
  return new AppError({
    code: "credentials.refused",
    message: `the login of ${owner.title} cannot be used: ${source} ${reason}`,
    hint,
    details: { agent: owner.name, source },
  });
}
