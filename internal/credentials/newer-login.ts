import type { Login } from "./login.ts";
import { loginFileOf } from "./login-files/index.ts";

/** No vendor's access token lives longer: a lane's word must not stop others for ever. */
const LONGEST_MS = 60 * 24 * 3_600_000;

/**
 * Has the lane's agent renewed the login that it was given? Then the host's copy of it is void, and must not be put in
 * its place: the newest by expiry wins, and nothing blank, broken or of another account is ever newer. `content` is the
 * lane's and untrusted; pure.
 */
export function isNewerLogin(agent: string, login: Login, content: Buffer, nowMs: number): boolean {
  if (!login.file || !login.rotates || content.equals(login.file.content)) return false;
  const known = loginFileOf(agent);
  const mine = known?.check(login.file.content.toString("utf8"));
  const theirs = known?.check(content.toString("utf8"));
  if (mine?.kind !== "ok" || theirs?.kind !== "ok" || !theirs.facts.rotates) return false;
  if (mine.facts.identity !== theirs.facts.identity) return false;
  const [has, told] = [mine.facts.expiresAtMs, theirs.facts.expiresAtMs];
  return has !== null && told !== null && told > has && told > nowMs && told <= nowMs + LONGEST_MS;
}

/**
 * The host's file with what a renewal changes taken from the lane's: anything else in the lane's file is its own
 * business. Both are objects of JSON, checked before.
 */
export function mergeRenewal(agent: string, host: Buffer, lane: Buffer): Buffer {
  const renewed = loginFileOf(agent)?.renewed ?? [];
  const from = JSON.parse(lane.toString("utf8")) as Readonly<Record<string, unknown>>;
  const taken = Object.fromEntries(renewed.flatMap((key) => (Object.hasOwn(from, key) ? [[key, from[key]]] : [])));
  return Buffer.from(JSON.stringify({ ...(JSON.parse(host.toString("utf8")) as object), ...taken }));
}
