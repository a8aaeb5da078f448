import { createLoginDigest, type LoginOwner } from "./login.ts";

/** What tests of this folder share. */

/** As the adapter of Claude Code says. */
export const CLAUDE: LoginOwner = {
  name: "claude",
  title: "Claude Code",
  logins: [
    { kind: "env", name: "token", envName: "CLAUDE_CODE_OAUTH_TOKEN" },
    { kind: "env", name: "api-key", envName: "ANTHROPIC_API_KEY" },
    { kind: "file", name: "login", hostPath: ".claude/.credentials.json", path: ".claude/.credentials.json" },
  ],
};

/** As the adapter of Codex says. */
export const CODEX: LoginOwner = {
  name: "codex",
  title: "Codex",
  logins: [
    { kind: "env", name: "api-key", envName: "CODEX_API_KEY" },
    { kind: "file", name: "login", hostPath: ".codex/auth.json", path: ".codex/auth.json" },
  ],
};

export const DIGEST = createLoginDigest("salt");

/** A login file of Claude Code whose tokens are made of `token`; renewable unless `refreshToken` is null. */
export function claudeFile(token: string, more: object = {}): string {
  return JSON.stringify({
    claudeAiOauth: { accessToken: `access-${token}`, refreshToken: `refresh-${token}`, expiresAt: 5_000, ...more },
  });
}

/** Waits until `what` holds; the promise of the product is two seconds. */
export async function until(what: () => boolean, withinMs = 2000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!what()) {
    if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
