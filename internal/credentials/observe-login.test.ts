import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LoginChoice, loginPathsOf, observeLogin } from "./observe-login.ts";
import { CLAUDE, CODEX, claudeFile, DIGEST } from "./testing.ts";

const CANARY = "canary-50ba11";
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lk-login-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function put(path: string, text: string): string {
  mkdirSync(dirname(join(home, path)), { recursive: true });
  writeFileSync(join(home, path), text);
  return join(home, path);
}
const FILE = ".claude/.credentials.json";
const look = (env: Record<string, string>, choice: LoginChoice = "auto", more: object = {}, owner = CLAUDE) =>
  observeLogin(owner, { choice, env, home, folder: null, digest: DIGEST, nowMs: 10_000, ...more });
const sourceOf = async (state: ReturnType<typeof look>) => {
  const seen = await state;
  return seen.kind === "usable" ? [seen.login.name, seen.login.source] : [seen.kind];
};

describe("observeLogin", () => {
  it("takes the best source that is there, or the one that is configured", async () => {
    const both = { ANTHROPIC_API_KEY: "key-key-key", CLAUDE_CODE_OAUTH_TOKEN: "token-token" };
    const path = put(FILE, claudeFile("1"));
    expect(await sourceOf(look(both))).toEqual(["token", "CLAUDE_CODE_OAUTH_TOKEN"]);
    expect(await sourceOf(look({ ...both, CLAUDE_CODE_OAUTH_TOKEN: " " }))).toEqual(["api-key", "ANTHROPIC_API_KEY"]);
    expect(await sourceOf(look({}))).toEqual(["login", path]);
    expect(await sourceOf(look(both, "file"))).toEqual(["login", path]);
    expect(await sourceOf(look({}, "env"))).toEqual(["missing"]);
    expect(await sourceOf(look(both, "none"))).toEqual(["missing"]);
    const other = put("elsewhere.json", claudeFile("2")) as `/${string}`;
    expect(await sourceOf(look(both, other))).toEqual(["login", other]);
    const folder = join(home, "folder");
    const inFolder = put(`folder/${FILE}`, claudeFile("3"));
    expect(await sourceOf(look({}, "auto", { folder }))).toEqual(["login", inFolder]);
    expect(loginPathsOf(CLAUDE, { choice: "auto", home, folder })).toEqual([inFolder, path]);
  });

  it("hands a variable on under the agent's own name, and a file with its place in the agent's home", async () => {
    const key = await look({ OPENAI_API_KEY: " sk-0123456789\n" }, "auto", {}, CODEX);
    expect(key).toMatchObject({
      kind: "usable",
      login: { source: "OPENAI_API_KEY", env: { CODEX_API_KEY: "sk-0123456789" }, file: null, rotates: false },
    });
    put(FILE, claudeFile("1"));
    const file = await look({});
    expect(file).toMatchObject({
      kind: "usable",
      login: { env: {}, expiresAtMs: 5000, endsAtMs: null, rotates: true },
    });
    expect(file.kind === "usable" && [file.login.file?.path, String(file.login.file?.content)]).toEqual([
      FILE,
      claudeFile("1"),
    ]);
  });

  it("follows the user's own links", async () => {
    const real = put("dotfiles/claude.json", claudeFile("1"));
    mkdirSync(join(home, ".claude"));
    symlinkSync(real, join(home, FILE));
    expect(await sourceOf(look({}))).toEqual(["login", join(home, FILE)]);
  });

  it("has one account per credential: the same wherever it is, another for each, none without the salt", async () => {
    const accountOf = async (token: string) => {
      put(FILE, claudeFile(token));
      const seen = await look({});
      return seen.kind === "usable" ? [seen.login.account, seen.login.revision] : [];
    };
    const first = await accountOf("1");
    const renewed = await look({}).then(async () => {
      put(FILE, claudeFile("1", { accessToken: "another" }));
      const seen = await look({});
      return seen.kind === "usable" ? [seen.login.account, seen.login.revision] : [];
    });
    expect(renewed[0]).toBe(first[0]);
    expect(renewed[1]).not.toBe(first[1]);
    expect((await accountOf("2"))[0]).not.toBe(first[0]);
    expect(await accountOf("1")).toEqual(first);
    expect(first[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(DIGEST("codex", "account", "refresh-1")).not.toBe(first[0]);
  });

  it.each([
    ["is empty", () => put(FILE, "")],
    ["is not complete JSON", () => put(FILE, claudeFile(CANARY).slice(0, -3))],
    ["holds no token: Claude Code has been logged out", () => put(FILE, claudeFile("", { accessToken: "" }))],
    ["has expired at 1970-01-01T00:00:05.000Z", () => put(FILE, claudeFile(CANARY, { refreshToken: null }))],
    ["has expired at 1970-01-01T00:00:09.000Z", () => put(FILE, claudeFile(CANARY, { refreshTokenExpiresAt: 9000 }))],
    ["is larger than 32 KiB", () => put(FILE, claudeFile(CANARY.repeat(5000)))],
    ["is not a regular file", () => mkdirSync(join(home, FILE), { recursive: true })],
  ])("refuses a file that %s, naming it and the next step, and quotes nothing", async (reason, make) => {
    make();
    const seen = await look({});
    expect(seen).toMatchObject({
      kind: "refused",
      source: join(home, FILE),
      last: null,
      error: {
        code: "credentials.refused",
        message: expect.stringContaining(`Claude Code cannot be used: ${join(home, FILE)} ${reason}`),
        hint: "run claude on the host and use /login, or start laned with CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY",
      },
    });
    expect(`${JSON.stringify(seen)}${seen.kind === "refused" && seen.error.stack}`).not.toContain(CANARY);
  });

  it("refuses what may not be read", async (ctx) => {
    ctx.skip(process.getuid?.() === 0, "root may read everything");
    chmodSync(put(FILE, claudeFile("1")), 0);
    expect(await look({})).toMatchObject({ error: { message: expect.stringContaining("may not be read by laned") } });
  });

  it.each([
    ["holds blanks", `${CANARY} ${CANARY}`],
    ["holds blanks", `${CANARY}\u0007`],
    ["is too short for a key", "dummy"],
  ])("refuses a variable that %s", async (reason, value) => {
    const seen = await look({ ANTHROPIC_API_KEY: value });
    expect(seen).toMatchObject({
      kind: "refused",
      error: { message: expect.stringContaining(`the variable ANTHROPIC_API_KEY ${reason}`) },
    });
    expect(JSON.stringify(seen)).not.toContain(value);
  });
});
