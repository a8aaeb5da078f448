import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "../base/index.ts";

/** A request's head as it came over TCP, before anything was made of it. */
export interface RequestHead {
  readonly method: string;
  /** The request target as it stands in the first line. */
  readonly target: string;
  /** Names and values in turn, as received: repeated headers are still apart. */
  readonly rawHeaders: readonly string[];
}

/** Whom the TCP listener lets in. */
export interface GuardPolicy {
  /** Port the listener is bound to. */
  readonly port: number;
  readonly token: string;
  /** Origins besides our own, `http://127.0.0.1:<port>` and `http://localhost:<port>`. */
  readonly allowedOrigins: readonly string[];
}

/**
 * What a request over TCP needs beside the right Host: `document` and `asset` are the page itself, in which nothing is
 * secret; `login` brings a one-time code, `terminal` a one-time ticket; `api` is all the rest, and needs the token.
 */
export type Access = "document" | "asset" | "login" | "terminal" | "api";

/**
 * The page's own addresses; of these its router knows which there are. No segment begins with a dot or is encoded: what is
 * judged here must not be a path that leads elsewhere once it is resolved.
 */
const DOCUMENT = /^\/(?:(?:inbox|lanes|health)(?:\/\w[\w.-]*)*)?(?:\?[^#\\]*)?$/;
const ASSET = /^\/assets\/\w[\w.-]*$/;

/** See {@link Access}. */
export function accessOf({ method, target }: Pick<RequestHead, "method" | "target">): Access {
  if (method === "POST" && target === "/v1/login") return "login";
  if (method !== "GET") return "api";
  if (target === "/v1/terminal") return "terminal";
  if (ASSET.test(target)) return "asset";
  return DOCUMENT.test(target) ? "document" : "api";
}

/**
 * Decides on a request that came over TCP (threats T18 to T21, T23): the exact Host, our Origin or none, no fetch from
 * another site, and the bearer token on every method and route but those of {@link Access}. No reason to look further is
 * no reason to be let in.
 * @returns null when it may pass
 */
export function judgeRequest(head: RequestHead, policy: GuardPolicy): AppError | null {
  if (!head.target.startsWith("/")) {
    return new AppError({ code: "request.invalid", message: "the request target must be a path" });
  }
  const access = accessOf(head);
  const hosts = [`127.0.0.1:${policy.port}`, `localhost:${policy.port}`];
  const host = only(head.rawHeaders, "host");
  if (host === null || !hosts.includes(host)) {
    return new AppError({
      code: "request.misdirected",
      message: "this address is not served here",
      hint: `use http://127.0.0.1:${policy.port}`,
    });
  }
  const origins = valuesOf(head.rawHeaders, "origin");
  const ours = [...hosts.map((name) => `http://${name}`), ...policy.allowedOrigins];
  // A browser names the origin of whoever logs in or opens a socket; who does not say it is no page of ours.
  const fewest = access === "login" || access === "terminal" ? 1 : 0;
  if (origins.length < fewest || origins.length > 1 || origins.some((origin) => !ours.includes(origin))) {
    return new AppError({ code: "request.forbidden", message: "requests of other origins are refused" });
  }
  const sites = valuesOf(head.rawHeaders, "sec-fetch-site");
  const isForeign = sites.some((site) => site !== "same-origin" && site !== "none");
  if (isForeign && !(access === "document" && isNavigation(head.rawHeaders))) {
    return new AppError({ code: "request.forbidden", message: "requests of other sites are refused" });
  }
  return access === "api" ? judgeToken(head, policy) : null;
}

/**
 * Does a person follow a link, in a window of its own? From another site that leads to the bare document: it shows
 * nothing without the token, which only a tab of our origin has, and does nothing without a click or key.
 */
function isNavigation(rawHeaders: readonly string[]): boolean {
  return only(rawHeaders, "sec-fetch-mode") === "navigate" && only(rawHeaders, "sec-fetch-dest") === "document";
}

function judgeToken(head: RequestHead, policy: GuardPolicy): AppError | null {
  const authorization = only(head.rawHeaders, "authorization");
  const token = authorization === null ? null : /^Bearer ([^\s]+)$/i.exec(authorization)?.[1];
  if (token == null || !sameToken(token, policy.token)) {
    return new AppError({
      code: "request.unauthorized",
      message: token == null ? "a bearer token is required" : "the bearer token is not the one of this installation",
      hint: "send `Authorization: Bearer <token>`; the token is in the token file of the state folder",
    });
  }
  return null;
}

/** Equal? Takes the same time for every wrong token, of whatever length. An empty token never is. */
export function sameToken(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return wanted !== "" && timingSafeEqual(digest(given), digest(wanted));
}

/** All values of a header, in order. `name` in lower case. */
export function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? "");
  }
  return values;
}

/** The value of a header that is there exactly once. */
function only(rawHeaders: readonly string[], name: string): string | null {
  const values = valuesOf(rawHeaders, name);
  return values.length === 1 ? (values[0] ?? null) : null;
}
