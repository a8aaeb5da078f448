import { AppError } from "../base/index.ts";

/** An address that may be cloned. */
export interface CloneUrl {
  readonly url: string;
  /** What its repository is called, fit for a folder. */
  readonly name: string;
}

/** Transports of `git clone` that may be used: none that runs a program of the address's choice. */
export const CLONE_PROTOCOLS: readonly string[] = ["https", "http", "ssh", "file"];

const URL_MAX = 2048;
/** `[user@]host:path`, as ssh has it; a path that could be an option of the other side's shell is none. */
const SCP_LIKE = /^(?:\w[\w.+-]*@)?(?:[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\]):(?!-)(?!\/\/)[^:].*$/;

/**
 * Checks an address to clone from: https, http, ssh, file, or `[user@]host:path`.
 * @throws usage.invalid: another transport, an option, a password in it, control characters
 */
export function parseCloneUrl(text: string): CloneUrl {
  if (text.length > URL_MAX || /[\p{Cc}\p{Cs}\s\\]/u.test(text))
    throw notUrl(text, "has characters that no address has");
  if (text.includes("://")) checkUrl(text);
  else if (!SCP_LIKE.test(text)) throw notUrl(text, "is neither an https, ssh or file address nor host:path");
  return { url: text, name: nameOf(text) };
}

function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw notUrl(text, "cannot be read");
  if (!CLONE_PROTOCOLS.includes(url.protocol.slice(0, -1)) || !/^[a-z]+:\/\//.test(text)) {
    throw notUrl(text, `has a transport other than ${CLONE_PROTOCOLS.join(", ")}`);
  }
  const isHttp = url.protocol === "https:" || url.protocol === "http:";
  if (url.password !== "" || (isHttp && url.username !== "")) {
    throw new AppError({
      code: "usage.invalid",
      message: `an address to clone must not hold a password or token: ${url.protocol}//…@${url.host}${url.pathname}`,
      hint: "let git's credential helper know it (git help credentials), or use ssh",
    });
  }
  if (url.protocol === "file:" ? url.host !== "" : !/^[A-Za-z0-9[][^/]*$/.test(url.host)) {
    throw notUrl(text, "has no host that could be asked");
  }
  // The start of a path after the host is an argument of the other side's program.
  if (url.pathname.length < 2 || url.pathname.startsWith("/-") || url.username.startsWith("-")) {
    throw notUrl(text, "names no repository");
  }
}

function nameOf(text: string): string {
  const last =
    text
      .replace(/\/+(?:\.git\/*)?$/, "")
      .split(/[/:]/)
      .at(-1) ?? "";
  const plain = last
    .replace(/\.git$/, "")
    .replace(/%[0-9a-f]{2}|[^\w.-]/gi, "-")
    .replace(/^[.-]+|[.]+$/g, "");
  return plain.slice(0, 60) || "repository";
}

function notUrl(text: string, why: string): AppError {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new AppError({
    code: "usage.invalid",
    message: `not an address to clone: ${JSON.stringify(shown.replace(/\/\/[^/@]*@/, "//…@"))} ${why}`,
    hint: "as in https://host/shop.git, ssh://git@host/shop.git, git@host:shop.git or file:///srv/shop.git",
  });
}
