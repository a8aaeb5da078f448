import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type DestinationStream, pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AGENTS } from "../../agents/index.ts";
import { createLoginDigest } from "../../credentials/index.ts";
import type { CredentialFile } from "../../protocol/index.ts";
import type { DaemonLink } from "../worker-links.ts";
import { type CredentialDesk, type CredentialDeskDeps, openCredentialDesk } from "./credential-desk.ts";
import { openDeliveryMark } from "./delivery-mark.ts";

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
/** The end of an access token, ms; later ones win. */
const ENDS_AT = Date.now() + 3_600_000;
const claudeFile = (token: string, expiresAt = ENDS_AT) =>
  JSON.stringify({
    claudeAiOauth: {
      accessToken: `${CANARY}-a-${token}`,
      refreshToken: `${CANARY}-r-${token}`,
      expiresAt,
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
    writesBack: () => false,
    workerBuild: "b1",
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

/** A lane whose worker does as it is told, and notes it. `home`: what is in the agent's home, by path. */
function laneLink(build = "b1") {
  const sent: (readonly CredentialFile[])[] = [];
  const home = new Map<string, string>();
  const deliverCredentials: DaemonLink["deliverCredentials"] = async (files) => {
    sent.push(files);
    for (const { path, base64 } of files) home.set(path, Buffer.from(base64, "base64").toString());
    return files.map(({ path, base64 }) => {
      const sha256 = createHash("sha256").update(Buffer.from(base64, "base64")).digest("hex");
      return { path, sha256, mode: 0o600, uid: UID };
    });
  };
  const readCredentials: DaemonLink["readCredentials"] = async (paths) =>
    paths.flatMap((path) => {
      const text = home.get(path);
      return text === undefined ? [] : [{ path, base64: Buffer.from(text).toString("base64") }];
    });
  const facts = { laneId: "lane-1", generation: 1, build, closed: new Promise<string>(() => {}) };
  const link = { ...facts, deliverCredentials, readCredentials } as unknown as DaemonLink;
  return Object.assign(link, { sent, home });
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
      claude: { state: "delivered", source: join(dir, CLAUDE), expiresAt: new Date(ENDS_AT).toISOString() },
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

  it("leaves to a lane what its agent has renewed, and brings it nothing older", async () => {
    put(CLAUDE, claudeFile("1"));
    await open();
    const link = laneLink();
    const digest = await desk.deliver(link, {});
    const renewed = claudeFile("lane", ENDS_AT + 1000);
    link.home.set(CLAUDE, renewed);
    // As after a restart, or when another agent's login has changed.
    expect(await desk.deliver(link, {})).toBe(digest);
    expect(link.home.get(CLAUDE)).toBe(renewed);
    expect(secrets).toContain(`${CANARY}-r-lane`);
    expect(readFileSync(join(dir, CLAUDE), "utf8")).toBe(claudeFile("1"));
    // Blank over live: what the agent leaves when it is logged out is no renewal.
    link.home.set(CLAUDE, claudeFile("", ENDS_AT + 2000).replaceAll(/"canary[^"]*"/g, '""'));
    await desk.deliver(link, {});
    expect(link.home.get(CLAUDE)).toBe(claudeFile("1"));
    put(CLAUDE, claudeFile("2", ENDS_AT + 3000));
    await until(() => changes === 1);
    link.home.set(CLAUDE, renewed);
    await desk.deliver(link, {});
    expect(link.home.get(CLAUDE)).toBe(claudeFile("2", ENDS_AT + 3000));
  });

  it("asks no worker that may not know the question", async () => {
    put(CLAUDE, claudeFile("1"));
    await open();
    const link = laneLink("another build");
    link.home.set(CLAUDE, claudeFile("lane", ENDS_AT + 1000));
    await desk.deliver(link, {});
    expect(link.home.get(CLAUDE)).toBe(claudeFile("1"));
  });

  it("brings a renewed login back to the host where that is configured: after a job, and before it is asked for anew", async () => {
    put(CLAUDE, claudeFile("1"));
    await open({}, { writesBack: () => true });
    const link = laneLink();
    await desk.deliver(link, {});
    const inHost = () => readFileSync(join(dir, CLAUDE), "utf8");
    link.home.set(CLAUDE, claudeFile("2", ENDS_AT + 1000));
    desk.noteActivity(link.laneId);
    desk.noteActivity(link.laneId);
    await until(() => inHost() === claudeFile("2", ENDS_AT + 1000));
    await until(() => changes === 1);
    link.home.set(CLAUDE, claudeFile("3", ENDS_AT + 2000));
    expect(await desk.renewLogin("claude", {})).toBe(true);
    expect(inHost()).toBe(claudeFile("3", ENDS_AT + 2000));
    expect(await desk.renewLogin("claude", {})).toBe(false);
    expect(logged.filter((line) => line.includes("brought back")).length).toBe(2);
    expect(logged.join("")).not.toContain(CANARY);
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
