import { AppError } from "../../base/index.ts";

/** npm's codes for a registry that cannot be reached. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  ...["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "EPIPE"],
  ...["ERR_SOCKET_TIMEOUT", "EIDLETIMEOUT", "FETCH_ERROR", "E500", "E502", "E503", "E504"],
]);

/** Why npm did not do what it was asked, by the code that it prints. `what` is the package with its version. */
export function toNpmError(what: string, stderr: string): AppError {
  const code = /^npm (?:error|ERR!) code (\S+)$/m.exec(stderr)?.[1] ?? "unknown";
  const details: Record<string, unknown> = { npm: code };
  if (code === "E404" || code === "ETARGET" || code === "ENOVERSIONS") {
    return new AppError({
      code: "agent.not_found",
      message: `npm knows no ${what}`,
      hint: "name a version that exists, or latest",
      details,
    });
  }
  if (code === "ENOSPC") return diskFullError(what, details);
  const failed = (message: string, hint: string, retry: "retryable" | "terminal") =>
    new AppError({ code: "agent.install_failed", message: `${what}: ${message}`, hint, retry, details });
  if (UNREACHABLE.has(code)) {
    return failed(`the npm registry cannot be reached (${code})`, "check network and proxy: npm ping", "retryable");
  }
  if (code === "E401" || code === "E403") {
    return failed(`the npm registry refuses us (${code})`, "check your login there: npm whoami", "terminal");
  }
  if (code === "EINTEGRITY") {
    return failed("what came is not what the registry names", "try again; then: npm cache verify", "retryable");
  }
  details["npm said"] = stderr.trim().split("\n").slice(-8);
  return failed(`npm failed (${code})`, "mend what npm names, then try again", "terminal");
}

/** No room for an installation. */
export function diskFullError(what: string, details: Readonly<Record<string, unknown>> = {}): AppError {
  return new AppError({
    code: "store.full",
    message: `${what}: there is no space left to install it`,
    hint: "free space, or remove a version: lane agents rm",
    retry: "retryable",
    details,
  });
}
