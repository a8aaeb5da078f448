import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentLogins, type LoginOptions, openAgentLogins } from "./agent-logins.ts";
import { loginIn } from "./delivery.ts";
import { CLAUDE, CODEX, claudeFile, DIGEST, until } from "./testing.ts";

const CANARY = "canary-92ce40";
let home: string;
let file: string;
let logins: AgentLogins;
let told: string[];
let failures: string[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "lk-logins-"));
  file = join(home, ".claude", ".credentials.json");
  mkdirSync(join(home, ".claude"));
  told = [];
  failures = [];
});
afterEach(async () => {
  await logins[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

async function start(more: Partial<LoginOptions> = {}): Promise<void> {
  logins = await openAgentLogins({
    owners: [CLAUDE, CODEX],
    choiceOf: () => "auto",
    syncCommandOf: () => null,
    env: { PATH: process.env.PATH },
    home,
    folder: null,
    digest: DIGEST,
    changed: (owner, state) => told.push(`${owner.name} ${state.kind}`),
    degraded: (error) => {
      throw error;
    },
    syncFailed: (error) => failures.push(error.message),
    ...more,
  });
  told = [];
}
const state = () => logins.stateOf("claude");
const used = () => String(loginIn(state())?.file?.content ?? "none");
const holds = (token: string) => used() === claudeFile(token);

/** As Claude Code does. */
function replace(text: string): void {
  writeFileSync(`${file}.tmp`, text);
  renameSync(`${file}.tmp`, file);
}

describe("openAgentLogins", () => {
  it("sees a login appear, change in place, be replaced, vanish, and its folder come anew", async () => {
    rmSync(join(home, ".claude"), { recursive: true });
    await start();
    expect(state().kind).toBe("missing");
    mkdirSync(join(home, ".claude"));
    writeFileSync(file, claudeFile("1"));
    await until(() => holds("1"));
    writeFileSync(file, claudeFile("2"));
    await until(() => holds("2"));
    replace(claudeFile("3"));
    await until(() => holds("3"));
    rmSync(join(home, ".claude"), { recursive: true });
    await until(() => state().kind === "missing");
    mkdirSync(join(home, ".claude"));
    writeFileSync(file, claudeFile("4"));
    await until(() => holds("4"));
    expect(told).toEqual(["claude usable", "claude usable", "claude usable", "claude missing", "claude usable"]);
  });

  it("keeps the last good one while it is refused, says so once, and takes the next", async () => {
    writeFileSync(file, claudeFile("1"));
    await start();
    writeFileSync(file, claudeFile("", { accessToken: "", refreshToken: "" }));
    await until(() => state().kind === "refused");
    expect(used()).toBe(claudeFile("1"));
    writeFileSync(file, "");
    await until(() => told.length === 2);
    expect([state().kind, used()]).toEqual(["refused", claudeFile("1")]);
    replace(claudeFile("2"));
    await until(() => holds("2"));
    expect(told).toEqual(["claude refused", "claude refused", "claude usable"]);
  });

  it("does not mind a file that is empty for a moment", async () => {
    writeFileSync(file, claudeFile("1"));
    await start();
    writeFileSync(file, "");
    await new Promise((resolve) => setTimeout(resolve, 180));
    writeFileSync(file, claudeFile("2"));
    await until(() => holds("2"));
    expect(told).toEqual(["claude usable"]);
  });

  it("refuses a login that comes to its end while nothing changes", async () => {
    writeFileSync(file, claudeFile("1", { refreshToken: null, expiresAt: Date.now() + 400 }));
    await start();
    expect(state().kind).toBe("usable");
    await until(() => state().kind === "refused");
    expect(loginIn(state())).toBeNull();
  });

  it("runs the sync command without a key in its environment, and says whether the login is another one", async () => {
    writeFileSync(file, claudeFile("1"));
    const script = `env > ${home}/env; echo ${CANARY}; n=$(cat ${home}/next) && printf %s "$n" > ${file}`;
    writeFileSync(join(home, "next"), claudeFile("2"));
    await start({
      syncCommandOf: () => ["sh", "-c", script],
      env: { PATH: process.env.PATH, OPENAI_API_KEY: CANARY, SOME_SECRET: CANARY },
    });
    const before = loginIn(state())?.account;
    expect(await Promise.all([logins.renew("claude", {}), logins.renew("claude", {})])).toEqual([true, true]);
    expect(holds("2")).toBe(true);
    expect(await logins.renew("claude", {})).toBe(false);
    rmSync(join(home, "env"));
    expect(await logins.renew("claude", { account: before })).toBe(true);
    expect(() => readFileSync(join(home, "env"))).toThrow();
    expect(await logins.renew("claude", { account: loginIn(state())?.account })).toBe(false);
    const env = readFileSync(join(home, "env"), "utf8");
    expect(env).toContain(`HOME=${home}\n`);
    // Of this process, whose environment it is not.
    expect(process.env.VITEST).toBeDefined();
    expect(env).not.toMatch(new RegExp(`${CANARY}|VITEST`));
    expect(failures).toEqual([]);
  });

  it("reads the sources also when the sync command fails, and does not repeat what it printed", async () => {
    await start({ syncCommandOf: () => ["sh", "-c", `echo ${CANARY} >&2; exit 3`] });
    writeFileSync(file, claudeFile("1"));
    expect(await logins.renew("claude", {})).toBe(true);
    expect(failures).toEqual(["the sync command of claude ended with 3"]);
    await logins[Symbol.asyncDispose]();
    await start({ syncCommandOf: () => ["/nowhere/sync"] });
    expect(await logins.renew("claude", {})).toBe(false);
    expect(failures[1]).toBe("the sync command of claude could not be started (ENOENT)");
  });

  it("ends the wait for a renewal with the signal, and the command with the logins", async () => {
    await start({ syncCommandOf: () => ["sleep", "50"] });
    const waiting = logins.renew("claude", { signal: AbortSignal.timeout(50) });
    await expect(waiting).rejects.toThrow();
    const atMs = performance.now();
    await logins[Symbol.asyncDispose]();
    expect(performance.now() - atMs).toBeLessThan(2000);
    expect(failures).toEqual([]);
  });

  it("knows the value of every variable that could be a key", async () => {
    await start({ env: { OPENAI_API_KEY: "k1", CODEX_API_KEY: "k2 ", ANTHROPIC_API_KEY: "", PATH: "/bin" } });
    expect(logins.variableSecrets()).toEqual(["k2", "k1"]);
  });
});
