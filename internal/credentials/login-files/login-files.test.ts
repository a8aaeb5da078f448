import { describe, expect, it } from "vitest";
import { loginFileOf } from "./index.ts";

const CANARY = "canary-7d10b2";
const check = (agent: string, file: unknown) =>
  loginFileOf(agent)?.check(typeof file === "string" ? file : JSON.stringify(file));
const claude = (oauth: object) => check("claude", { claudeAiOauth: oauth });
const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

describe("login files", () => {
  it.each([
    [
      "claude, renewable",
      claude({ accessToken: "a", refreshToken: "r", expiresAt: 5, refreshTokenExpiresAt: 9, scopes: [] }),
      { secret: "r", expiresAtMs: 5, endsAtMs: 9, rotates: true },
    ],
    [
      "claude, without the end of its refresh token",
      claude({ accessToken: "a", refreshToken: "r", expiresAt: 5 }),
      { secret: "r", expiresAtMs: 5, endsAtMs: null, rotates: true },
    ],
    [
      "claude, not renewable",
      claude({ accessToken: "a", refreshToken: null, expiresAt: 5 }),
      { secret: "a", expiresAtMs: 5, endsAtMs: 5, rotates: false },
    ],
    [
      "codex, an API key",
      check("codex", { auth_mode: "apikey", OPENAI_API_KEY: "k" }),
      { secret: "k", expiresAtMs: null, endsAtMs: null, rotates: false },
    ],
    [
      "codex, renewable",
      check("codex", {
        OPENAI_API_KEY: null,
        tokens: { access_token: jwt({ exp: 7 }), refresh_token: "r", account_id: "me" },
      }),
      { identity: "me", secret: "r", expiresAtMs: 7000, endsAtMs: null, rotates: true },
    ],
    [
      "codex, a token that is no JWT",
      check("codex", { tokens: { access_token: "opaque" } }),
      { secret: "opaque", expiresAtMs: null, endsAtMs: null, rotates: false },
    ],
    [
      "a time that is none",
      check("gemini", { access_token: "a", expiry_date: -1e20 }),
      { secret: "a", expiresAtMs: null, endsAtMs: null, rotates: false },
    ],
    [
      "gemini, renewable",
      check("gemini", { access_token: "a", refresh_token: "r", expiry_date: 5 }),
      { secret: "r", expiresAtMs: 5, endsAtMs: null, rotates: false },
    ],
    [
      "gemini, not renewable",
      check("gemini", { access_token: "a", expiry_date: 5 }),
      { secret: "a", expiresAtMs: 5, endsAtMs: 5, rotates: false },
    ],
  ])("%s", (_, seen, facts) => {
    expect(seen).toEqual({ kind: "ok", facts: { identity: null, ...facts } });
  });

  it.each([
    ["an empty file", check("claude", ""), "is empty"],
    ["claude's file when it was logged out", claude({ accessToken: "", refreshToken: "", expiresAt: 0 }), "logged out"],
    ["blank tokens", claude({ accessToken: " \n", refreshToken: "r" }), "holds no token"],
    ["no login in it", check("claude", { mcpOAuth: {} }), "claudeAiOauth is missing or of the wrong type"],
    ["a token of the wrong type", claude({ accessToken: 5 }), "claudeAiOauth.accessToken is missing or of the wrong"],
    ["codex without anything", check("codex", { OPENAI_API_KEY: null, tokens: null }), "neither tokens nor an API key"],
    ["codex with blank tokens", check("codex", { tokens: { access_token: "", refresh_token: "" } }), "logged out"],
    ["codex with tokens of the wrong type", check("codex", { tokens: "x" }), "tokens is missing or of the wrong type"],
    ["gemini without anything", check("gemini", { expiry_date: 1 }), "holds no token"],
    ["a list", check("gemini", "[]"), "is no login file"],
    ["no JSON", check("codex", "not json"), "is not complete JSON"],
  ])("refuses %s", (_, seen, reason) => {
    expect(seen).toEqual({ kind: "refused", reason: expect.stringContaining(reason) });
  });

  it("refuses a file that is cut off at any byte, and never quotes it", () => {
    const whole = JSON.stringify({ claudeAiOauth: { accessToken: CANARY, refreshToken: CANARY, expiresAt: 5 } });
    expect(check("claude", whole)?.kind).toBe("ok");
    for (let length = 0; length < whole.length; length++) {
      const seen = check("claude", whole.slice(0, length));
      expect(seen?.kind).toBe("refused");
      expect(JSON.stringify(seen)).not.toContain(CANARY);
    }
    expect(JSON.stringify(check("codex", { tokens: CANARY }))).not.toContain(CANARY);
  });

  it("knows no file of an agent that has none", () => {
    expect([loginFileOf("shell"), loginFileOf("toString")]).toEqual([null, null]);
  });
});
