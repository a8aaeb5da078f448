import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type DestinationStream, pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AGENTS } from "../agents/index.ts";
import { createLoginDigest } from "../credentials/index.ts";
import type { CredentialFile } from "../protocol/index.ts";
import { type CredentialDesk, type CredentialDeskDeps, openCredentialDesk } from "./credential-desk.ts";
import { openDeliveryMark } from "./delivery-mark.ts";
import type { DaemonLink } from "./worker-links.ts";

const CANARY = "canary-1f88d3";
const UID = 1000;
const CLAUDE = ".claude/.credentials.json";
let dir: string;
let desk: CredentialDesk;
let changes: number;
let secrets: readonly string[];
let logged: string[];
let inUse: Set<string>;
let others: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lk-desk-"));
  [changes, secrets, logged, inUse, others] = [0, [], [], new Set(["claude", "codex"]), []];
});
afterEach(async () => {
  await desk[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

function put(path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}
const claudeFile = (token: string) =>
  JSON.stringify({
    claudeAiOauth: {
      accessToken: `${CANARY}-a-${token}`,
      refreshToken: `${CANARY}-r-${token}`,
      expiresAt: 4_102_444_800_000,
      scopes: ["user:inference"],
    },
  });

async function open(env: Record<string, string> = {}, more: Partial<CredentialDeskDeps> = {}): Promise<void> {
  const stream: DestinationStream = { write: (line) => void logged.push(line) };
  desk = await openCredentialDesk({
    folder: null,
    logins: {
      owners: AGENTS.filter(({ logins }) => logins.length > 0),
      choiceOf: () => "auto",
      syncCommandOf: () => null,
      env,
      home: dir,
      digest: createLoginDigest("salt"),
    },
    isInUse: (agent) => inUse.has(agent),
    mark: openDeliveryMark(join(dir, "mark")),
    log: pino({ level: "debug" }, stream),
    agentUid: () => UID,
    otherLanes: () => others,
    onSecrets: (now) => {
      secrets = now;
    },
    onChange: () => changes++,
    ...more,
  });
}

/** A lane whose worker does as it is told, and notes it. */
function laneLink(): DaemonLink & { readonly sent: (readonly CredentialFile[])[] } {
  const sent: (readonly CredentialFile[])[] = [];
  const deliverCredentials: DaemonLink["deliverCredentials"] = async (files) => {
    sent.push(files);
    return files.map(({ path, base64 }) => {
      const sha256 = createHash("sha256").update(Buffer.from(base64, "base64")).digest("hex");
      return { path, sha256, mode: 0o600, uid: UID };
    });
  };
  return { laneId: "lane-1", generation: 1, sent, deliverCredentials } as unknown as ReturnType<typeof laneLink>;
}
const pathsOf = (files: readonly CredentialFile[] | undefined) => files?.map(({ path }) => path);

async function until(what: () => boolean): Promise<void> {
  const endMs = performance.now() + 2000;
  while (!what()) {
    if (performance.now() > endMs) throw new Error(`not within 2 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("openCredentialDesk", () => {
  it("delivers the login files of agents in use, and gives variables to their processes alone", async () => {
    put(CLAUDE, claudeFile("1"));
    put(".gemini/oauth_creds.json", `{"refresh_token":"${CANARY}-gemini"}`);
    await open({ OPENAI_API_KEY: `${CANARY}-codex` });
    const link = laneLink();
    const digest = await desk.deliver(link, {});
    expect(link.sent.map(pathsOf)).toEqual([[CLAUDE]]);
    expect(desk.loginOf("codex")).toMatchObject({ login: { env: { CODEX_API_KEY: `${CANARY}-codex` } } });
    expect(desk.show(digest)).toEqual({
      claude: { state: "delivered", source: join(dir, CLAUDE), expiresAt: "2100-01-01T00:00:00.000Z" },
      codex: { state: "usable", source: "OPENAI_API_KEY", expiresAt: null },
    });
    expect(desk.show("another").claude?.state).toBe("pending");
    expect([desk.isDelivered("claude", digest), desk.isDelivered("codex", digest)]).toEqual([true, false]);

    inUse.add("gemini");
    desk.agentsChanged();
    expect(changes).toBe(1);
    await desk.deliver(link, {});
    expect(pathsOf(link.sent[1])).toEqual([CLAUDE, ".gemini/oauth_creds.json"]);
  });

  it("keeps a refused login in the lanes, says why, and still brings what else is new", async () => {
    put(CLAUDE, claudeFile("1"));
    await open();
    const link = laneLink();
    const digest = await desk.deliver(link, {});
    put(CLAUDE, "");
    await until(() => desk.stateOf("claude").kind === "refused");
    expect(changes).toBe(1);
    expect(desk.refusal()).toMatchObject({ message: expect.stringContaining(`${join(dir, CLAUDE)} is empty`) });
    expect(desk.loginOf("claude")).toMatchObject({ kind: "usable", login: { name: "login" } });
    expect(desk.show(digest).claude).toMatchObject({ state: "refused", reason: expect.stringContaining("is empty") });
    expect(desk.isDelivered("claude", digest)).toBe(true);
    expect(await desk.deliver(link, {})).toBe(digest);

    put(".codex/auth.json", `{"OPENAI_API_KEY":"${CANARY}-codex"}`);
    await until(() => desk.stateOf("codex").kind === "usable");
    // Else it would only be told that there is a refusal.
    expect(desk.refusal()).toBeNull();
    await desk.deliver(link, {});
    expect(pathsOf(link.sent.at(-1))).toEqual([CLAUDE, ".codex/auth.json"]);
    expect(link.sent.at(-1)).toEqual(expect.arrayContaining(link.sent[0] as CredentialFile[]));
  });

  it("goes along with a folder, whose login comes first", async () => {
    put(CLAUDE, claudeFile("home"));
    put(`folder/${CLAUDE}`, claudeFile("folder"));
    put("folder/token", "0123456789abcdef");
    await open({}, { folder: join(dir, "folder") });
    const link = laneLink();
    const digest = await desk.deliver(link, {});
    expect(pathsOf(link.sent[0])).toEqual([CLAUDE, "token"]);
    expect(Buffer.from(link.sent[0]?.[0]?.base64 ?? "", "base64").toString()).toBe(claudeFile("folder"));
    expect(desk.show(digest)).toMatchObject({
      folder: { state: "delivered" },
      claude: { state: "delivered", source: join(dir, "folder", CLAUDE) },
    });
    put(`folder/${CLAUDE}`, claudeFile("cut off").slice(0, -2));
    await until(() => desk.stateOf("claude").kind === "refused");
    await desk.deliver(link, {});
    expect(link.sent.at(-1)).toEqual(link.sent[0]);
  });

  it("does not talk to lanes that cannot hold any, and takes a login that is gone from those that can", async () => {
    await open();
    const link = laneLink();
    expect(await desk.deliver(link, {})).toBeNull();
    expect(link.sent).toEqual([]);
    put(CLAUDE, claudeFile("1"));
    await until(() => desk.stateOf("claude").kind === "usable");
    await desk.deliver(link, {});
    rmSync(join(dir, CLAUDE));
    await until(() => desk.stateOf("claude").kind === "missing");
    expect(desk.show(null).claude).toMatchObject({ state: "missing", reason: expect.stringContaining("/login") });
    expect(await desk.deliver(link, {})).toBeNull();
    expect(link.sent.map(pathsOf)).toEqual([[CLAUDE], []]);
    // The next daemon knows of it too.
    await desk[Symbol.asyncDispose]();
    expect(existsSync(join(dir, "mark"))).toBe(true);
    await open();
    await desk.deliver(link, {});
    expect(link.sent).toHaveLength(3);
  });

  it("warns once when lanes share a login of which only one copy can be renewed", async () => {
    put(CLAUDE, claudeFile("1"));
    await open();
    const warnings = () => logged.filter((line) => line.includes("single-use")).length;
    await desk.deliver(laneLink(), {});
    expect(warnings()).toBe(0);
    others = ["other"];
    await desk.deliver(laneLink(), {});
    await desk.deliver(laneLink(), {});
    expect(warnings()).toBe(1);
  });

  it("tells redaction each secret of files and variables, and lets none into its log or what it shows", async () => {
    put(CLAUDE, claudeFile("1"));
    await open({ CODEX_API_KEY: `${CANARY}-k1`, OPENAI_API_KEY: `${CANARY}-k2` });
    expect(secrets).toEqual(expect.arrayContaining([`${CANARY}-a-1`, `${CANARY}-r-1`, `${CANARY}-k1`, `${CANARY}-k2`]));
    expect(secrets).not.toContain("user:inference");
    inUse.clear();
    put(CLAUDE, claudeFile("2"));
    await until(() => secrets.includes(`${CANARY}-r-2`));
    // It is nobody's business yet.
    expect(changes).toBe(0);
    inUse.add("claude");
    put(CLAUDE, `{"claudeAiOauth":"${CANARY}"}`);
    await until(() => desk.stateOf("claude").kind === "refused");
    expect(`${logged.join("")}${JSON.stringify(desk.show(null))}${desk.refusal()?.stack}`).not.toContain(CANARY);
    expect(logged.length).toBeGreaterThan(4);
  });
});
