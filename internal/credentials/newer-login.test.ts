import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Login } from "./login.ts";
import { isNewerLogin, mergeRenewal } from "./newer-login.ts";
import { writeLoginBack } from "./write-back.ts";

const CANARY = "canary-6b3a90";
const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

const claude = (token: string, expiresAt: number, more: object = {}) =>
  JSON.stringify({ claudeAiOauth: { accessToken: `a-${token}`, refreshToken: `r-${token}`, expiresAt, ...more } });
const codex = (account: string, exp: number) => {
  const claims = Buffer.from(JSON.stringify({ exp: exp / 1000 })).toString("base64url");
  return JSON.stringify({ tokens: { access_token: `e30.${claims}.x`, refresh_token: "r", account_id: account } });
};
function loginOf(content: string, source = "/nowhere"): Login {
  const file = { path: "p", content: Buffer.from(content) };
  const digests = { account: "a", revision: "r" };
  return { name: "login", source, ...digests, env: {}, file, expiresAtMs: null, endsAtMs: null, rotates: true };
}
const isNewer = (agent: string, host: string, lane: string) =>
  isNewerLogin(agent, loginOf(host), Buffer.from(lane), NOW);

describe("isNewerLogin", () => {
  it("is what ends later", () => {
    const host = claude("1", NOW + HOUR);
    expect(isNewer("claude", host, claude("2", NOW + 2 * HOUR))).toBe(true);
    expect(isNewer("codex", codex("me", NOW - HOUR), codex("me", NOW + HOUR))).toBe(true);
    // The host's own has come to its end.
    expect(isNewer("claude", claude("1", 0), claude("2", NOW + HOUR))).toBe(true);
  });

  it.each([
    ["the same", "claude", claude("1", NOW + HOUR), claude("1", NOW + HOUR)],
    ["older", "claude", claude("1", NOW + 2 * HOUR), claude("2", NOW + HOUR)],
    ["of the same moment", "claude", claude("1", NOW + HOUR), claude("2", NOW + HOUR)],
    ["blank", "claude", claude("1", 0), claude("", NOW + HOUR, { accessToken: "", refreshToken: "" })],
    ["without a refresh token", "claude", claude("1", 0), claude("2", NOW + HOUR, { refreshToken: null })],
    ["cut off", "claude", claude("1", 0), claude("2", NOW + HOUR).slice(0, -2)],
    ["something else", "claude", claude("1", 0), "[]"],
    ["at its end already", "claude", claude("1", 0), claude("2", NOW - 1)],
    ["of a time that no token has", "claude", claude("1", 0), claude("2", NOW + 100 * 24 * HOUR)],
    ["without an end", "claude", claude("1", 0), claude("2", Number.NaN)],
    ["of another account", "codex", codex("me", NOW), codex("somebody", NOW + HOUR)],
    [
      "of an agent whose tokens do not rotate",
      "gemini",
      `{"refresh_token":"r","expiry_date":1}`,
      `{"refresh_token":"q"}`,
    ],
    ["of an agent that is not known", "other", claude("1", 0), claude("2", NOW + HOUR)],
  ])("is nothing that is %s", (_, agent, host, lane) => {
    expect(isNewer(agent, host, lane)).toBe(false);
  });
});

describe("mergeRenewal", () => {
  it("takes what a renewal changes, and nothing else", () => {
    const host = JSON.stringify({ claudeAiOauth: { accessToken: "old" }, mcpOAuth: "the user's" });
    const lane = JSON.stringify({ claudeAiOauth: { accessToken: "new" }, mcpOAuth: "planted", more: "planted" });
    expect(JSON.parse(mergeRenewal("claude", Buffer.from(host), Buffer.from(lane)).toString())).toEqual({
      claudeAiOauth: { accessToken: "new" },
      mcpOAuth: "the user's",
    });
  });
});

describe("writeLoginBack", () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "lk-back-"));
    path = join(dir, "login.json");
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const back = (login: Login, lane: string) =>
    writeLoginBack("claude", login, { content: Buffer.from(lane), nowMs: NOW });

  it("replaces the file at once and privately, and keeps the one before it", async () => {
    const [host, lane] = [claude("1", NOW + HOUR), claude("2", NOW + 2 * HOUR)];
    writeFileSync(path, host);
    chmodSync(path, 0o644);
    const { ino } = statSync(path);
    expect(await back(loginOf(host, path), lane)).toBe(true);
    expect(readFileSync(path, "utf8")).toBe(lane);
    expect(readFileSync(`${path}.lanekeeper-backup`, "utf8")).toBe(host);
    expect(statSync(path).ino).not.toBe(ino);
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777, name).toBe(0o600);
    expect(readdirSync(dir)).toEqual(["login.json", "login.json.lanekeeper-backup"]);
    expect(await back(loginOf(lane, path), host)).toBe(false);
  });

  it("leaves alone what somebody else has renewed, emptied or removed meanwhile", async () => {
    const known = loginOf(claude("1", NOW + HOUR), path);
    for (const text of [claude("own", NOW + 3 * HOUR), "", claude("", 0, { accessToken: "", refreshToken: "" })]) {
      writeFileSync(path, text);
      expect(await back(known, claude("2", NOW + 2 * HOUR))).toBe(false);
      expect(readFileSync(path, "utf8")).toBe(text);
    }
    rmSync(path);
    await expect(back(known, claude("2", NOW + 2 * HOUR))).rejects.toMatchObject({ code: "credentials.failed" });
    expect(readdirSync(dir)).toEqual([]);
  });

  it("writes the file that a link of the user's leads to", async () => {
    const real = join(dir, "real.json");
    writeFileSync(real, claude("1", NOW));
    symlinkSync(real, path);
    expect(await back(loginOf(claude("1", NOW), path), claude("2", NOW + HOUR))).toBe(true);
    expect(readFileSync(real, "utf8")).toBe(claude("2", NOW + HOUR));
  });

  it("says why it could not, and quotes nothing", async () => {
    const missing = join(dir, "none", "login.json");
    const failed = await back(loginOf(claude(CANARY, NOW), missing), claude(`${CANARY}-2`, NOW + HOUR)).catch(
      (error: Error) => error,
    );
    expect(String(failed)).toContain(`cannot be written to ${missing} (ENOENT)`);
    expect(`${JSON.stringify(failed)}${(failed as Error).stack}`).not.toContain(CANARY);
  });
});
