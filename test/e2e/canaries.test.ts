import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiInboxItem, ApiJob } from "../../internal/protocol/index.ts";
import { AGENT_CLIS, type CliName } from "../support/agent-clis.ts";
import { readApi } from "../support/api.ts";
import { huntFor, type Secret } from "../support/find-secrets.ts";
import { type Installation, newInstallation } from "../support/installation.ts";
import { type ModelService, startModelService } from "../support/model-service/index.ts";
import { podman } from "../support/podman.ts";
import { newWard, type Ward } from "../support/ward.ts";
import { type ProcessWatch, watchProcesses } from "../support/watch-processes.ts";

/** How a lane calls this machine. */
const HOST = "host.containers.internal";
const AGENTS = Object.keys(AGENT_CLIS) as readonly CliName[];
const FILES = { claude: ".claude/.credentials.json", codex: ".codex/auth.json", gemini: ".gemini/oauth_creds.json" };
/** Says all that an agent's process was given, where the agent keeps it from its commands as well. */
const SAY_ENVIRONMENT = "@run env; tr '\\0' '\\n' < /proc/$PPID/environ";
const SAY_FILES = `@run cd; cat ${Object.values(FILES).join(" ")} .tool/config.ini .tool/config.json`;

/** One secret for each slot that there is, made anew for this run. */
const slots = {
  "environment token of claude": canary("env-claude"),
  "API key of codex": canary("key-codex"),
  "API key of gemini": canary("key-gemini"),
  "access token of claude": canary("access-claude"),
  "refresh token of claude": canary("refresh-claude"),
  "access token of codex": `e30.${Buffer.from('{"exp":4102444800}').toString("base64url")}.${canary("access-codex")}`,
  "refresh token of codex": canary("refresh-codex"),
  "access token of gemini": canary("access-gemini"),
  "refresh token of gemini": canary("refresh-gemini"),
  // JSON spells these two in another way than they are.
  "line of the credential folder": `${canary("folder")}-with"quote\\and-é`,
  "JSON value of the credential folder": `${canary("folder-json")}-with"quote\\and-é`,
};

function canary(name: string): string {
  return `canary-${name}-${randomBytes(12).toString("hex")}`;
}

let service: ModelService;
let home: Installation;
let ward: Ward;
let watch: ProcessWatch;
/** Where each slot's secret is from: there it may be. */
let sources: Readonly<Record<string, string>>;
/** The secrets that the daemon has drawn, by their value. */
const drawn = new Map<string, Secret>();
/** What the CLI said, by its arguments. */
const said: (readonly [command: string, text: string])[] = [];

beforeAll(async () => {
  service = await startModelService({ host: "0.0.0.0" });
  home = await newInstallation({
    env: {
      CLAUDE_CODE_OAUTH_TOKEN: slots["environment token of claude"],
      CODEX_API_KEY: slots["API key of codex"],
      GEMINI_API_KEY: slots["API key of gemini"],
    },
  });
  sources = await putFiles();
  await configure("env");
  watch = watchProcesses();
  watch.lookFor(await secrets());
  await home.up();
  await home.json(["workspace", "add", await home.repository()]);
  for (const agent of AGENTS) await lane("agents", "install", `${agent}@${AGENT_CLIS[agent].version}`);
  ward = await newWard(home, "talkative");
  watch.lookFor(await secrets());
}, 300_000);
afterAll(async () => {
  await watch?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

describe("canary secrets in every slot", { timeout: 300_000 }, () => {
  it.each(AGENTS)("the key of %s is taken out of all that its runs print, also of one that fails", async (agent) => {
    await prompt(agent, SAY_ENVIRONMENT, "succeeded");
    await prompt(agent, `${SAY_ENVIRONMENT}\n@fail 400`, "failed");
  });

  it("so are the login files and the files of the folder, after the keys", async () => {
    await configure("file");
    await lane("down");
    await home.up();
    await ward.until("has the files", ({ state, credentials }) => {
      const states = AGENTS.map((agent) => credentials[agent]?.state);
      return state === "ready" && states.every((one) => one === "delivered");
    });
    await prompt("claude", SAY_FILES, "succeeded");
    await prompt("claude", `${SAY_FILES}\n@fail 400`, "failed");
    await prompt("claude", `${SAY_FILES} >&2; exit 3`, "succeeded");
    await lane("run", ward.name, "--agent", "shell", SAY_FILES.slice("@run ".length));
    const last = service.requests.at(-1)?.credential;
    expect(last).toBe(service.digestOf(slots["access token of claude"]));
    await lane("recreate", ward.name);
    watch.lookFor(await secrets());
    await lane("run", ward.name, "--", "sh", "-c", SAY_FILES.slice("@run ".length));
    await lane("credentials", "refresh", "claude");
  });

  it("none is in a command line or a process' environment but where it belongs", async () => {
    const known = (await secrets())[0] as Secret;
    // The watch sees what it is to see.
    const child = execa("sleep", ["0.4"], { argv0: known.value, env: { PLANTED: known.value } });
    await child;
    const { hits, ...figures } = await watch.end();
    process.stdout.write(`\nprocesses: ${JSON.stringify(figures)}\n`);
    const planted = hits.filter(({ program }) => program === known.value);
    expect(planted.map(({ place }) => place).toSorted()).toEqual(["argv", "environ"]);
    const others = hits.filter((hit) => !planted.includes(hit));
    expect(others.filter(({ place }) => place === "argv")).toEqual([]);
    // In the lane only jobs: not its init, not its worker. On the host only who was started with it, and reads it.
    expect(others.filter(({ inContainer, isJob }) => inContainer && !isJob)).toEqual([]);
    // One that was gone before its namespace could be read is told by its job.
    const notOfLane = others.filter(({ inContainer, isJob }) => !inContainer && !isJob);
    const onHost = new Set(notOfLane.map(({ program }) => program));
    expect([...onHost].toSorted()).toEqual(["lane", "laned"]);
    expect(figures.commandLines).toBeGreaterThan(10_000);
  });

  it("none is in Podman's records, our files, the API's answers or what the CLI says", async () => {
    const plants = [join(home.stateDir, "jobs", "planted.ndjson"), join(home.stateDir, "logs", "planted.log")];
    const all = await secrets();
    await writeFile(plants[0] as string, JSON.stringify({ text: slots["line of the credential folder"] }));
    await writeFile(plants[1] as string, Buffer.from(`x ${slots["API key of codex"]} x`).toString("base64"));
    const hunt = huntFor(all);
    await hunt.lookBelow(home.dir, [
      join(home.dir, "d", "lanekeeper", "agents"),
      join(home.dir, "k"),
      join(home.dir, "home", ".npm"),
    ]);
    for (const plant of plants) await rm(plant);
    const label = `label=io.lanekeeper.install=${await home.installId()}`;
    for (const kind of ["container", "volume", "network"]) {
      const list = kind === "container" ? ["ps", "-aq"] : [kind, "ls", "-q"];
      const names = (await podman(...list, "--filter", label)).split("\n").filter(Boolean);
      expect(names.length, kind).toBeGreaterThan(0);
      hunt.look(`podman ${kind} inspect`, await podman(kind, "inspect", ...names));
    }
    // Of the lane's volume not the agent's own home, nor the worker's spool: that keeps what came as it came, for a day,
    // where only the worker can read it.
    const volume = await podman("volume", "inspect", "--format", "{{.Mountpoint}}", `${ward.born.containerName}-state`);
    const spool = join(volume, "spool");
    expect((await stat(spool)).mode & 0o777).toBe(0o700);
    await hunt.lookBelow(volume, [join(volume, "home"), spool]);
    const logs = await execa("podman", ["logs", ward.born.containerName], { all: true });
    hunt.look("podman logs", logs.all);
    hunt.look("podman ps", await podman("ps", "-a", "--format", "json"));
    for (const path of await routes()) hunt.look(`GET ${path}`, await readApi(home, path));
    await sayAll();
    for (const [command, text] of said) hunt.look(command, text);
    process.stdout.write(`\nsecrets: ${all.length}; looked at ${hunt.places} places, ${hunt.bytes} bytes\n`);
    const isPlanted = ({ where }: { readonly where: string }) => plants.includes(where);
    expect(
      hunt.hits
        .filter(isPlanted)
        .map(({ form }) => form)
        .toSorted(),
    ).toEqual(["base64", "json"]);
    expect(hunt.hits.filter((hit) => !isPlanted(hit))).toEqual([]);
  });
});

/** Runs a prompt and sees that it did print secrets, and that they were taken out. */
async function prompt(agent: CliName, text: string, state: ApiJob["state"]): Promise<void> {
  const end = await lane("run", ward.name, "--agent", agent, text);
  const job = (await home.json<ApiJob[]>(["jobs", ward.name, "-n", "1"]))[0] as ApiJob;
  expect(job, end.stderr).toMatchObject({ state, agent });
  const events = await home.lane(["job", "events", job.id]);
  expect(events.stdout).toContain("[redacted]");
}

async function lane(...args: string[]): ReturnType<Installation["lane"]> {
  const end = await home.lane(args);
  said.push([`lane ${args.slice(0, 3).join(" ")}`, end.stdout + end.stderr]);
  return end;
}

/** All secrets there were up to now: the slots', the API's token, and those of the workers. */
async function secrets(): Promise<readonly Secret[]> {
  const folder = join(home.stateDir, "secrets");
  const token = join(home.stateDir, "token");
  const boot = join(home.env.XDG_RUNTIME_DIR ?? "", "lanekeeper");
  const read = async (name: string, path: string, places: readonly string[]) => {
    const value = (await readFile(path, "utf8").catch(() => "")).trim();
    if (value !== "") drawn.set(value, { name, value, home: places });
  };
  await read("the API's token", token, [token]);
  for (const name of await readdir(folder).catch(() => [])) {
    await read(`the secret of worker ${name}`, join(folder, name), [folder, boot]);
  }
  const given = Object.entries(slots).map(([name, value]) => {
    const source = sources[name];
    return { name, value, home: source === undefined ? [] : [source] };
  });
  return [...given, ...drawn.values()];
}

/** Writes the login files and the folder; where each slot's secret is then. */
async function putFiles(): Promise<Readonly<Record<string, string>>> {
  const root = home.env.HOME ?? "";
  const put = async (path: string, content: string) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const expiresAt = Date.now() + 7_200_000;
  const claude = await put(
    join(root, FILES.claude),
    JSON.stringify({
      claudeAiOauth: {
        accessToken: slots["access token of claude"],
        refreshToken: slots["refresh token of claude"],
        expiresAt,
        scopes: ["user:inference", "user:profile"],
      },
    }),
  );
  const codex = await put(
    join(root, FILES.codex),
    JSON.stringify({
      OPENAI_API_KEY: null,
      tokens: { access_token: slots["access token of codex"], refresh_token: slots["refresh token of codex"] },
      last_refresh: new Date().toISOString(),
    }),
  );
  const gemini = await put(
    join(root, FILES.gemini),
    JSON.stringify({
      access_token: slots["access token of gemini"],
      refresh_token: slots["refresh token of gemini"],
      expiry_date: expiresAt,
    }),
  );
  const folder = join(home.dir, "folder");
  await put(join(folder, ".tool/config.ini"), `user = me\npassword = ${slots["line of the credential folder"]}\n`);
  const value = slots["JSON value of the credential folder"];
  await put(join(folder, ".tool/config.json"), JSON.stringify({ server: { value } }));
  return {
    "access token of claude": claude,
    "refresh token of claude": claude,
    "access token of codex": codex,
    "refresh token of codex": codex,
    "access token of gemini": gemini,
    "refresh token of gemini": gemini,
    "line of the credential folder": folder,
    "JSON value of the credential folder": folder,
  };
}

/** Sends the agents to the stand-in, with logins from variables or from files. */
async function configure(from: "env" | "file"): Promise<void> {
  const provider = `name="lane",base_url="${service.url("openai", HOST)}",env_key="CODEX_API_KEY",wire_api="responses",supports_websockets=false,request_max_retries=0,stream_max_retries=0`;
  const args = ["-c", 'model_provider="lane"', "-c", `model_providers.lane={${provider}}`];
  const claude = { ANTHROPIC_BASE_URL: service.url("anthropic", HOST), CLAUDE_CODE_MAX_RETRIES: "0" };
  const config = {
    agents: {
      claude: { credentials: from, env: claude },
      codex: { credentials: from, args },
      gemini: { credentials: from, env: { GOOGLE_GEMINI_BASE_URL: service.url("gemini", HOST) } },
    },
    credentials: { folder: join(home.dir, "folder") },
    log: { level: "trace" },
  };
  await writeFile(join(home.dir, "c", "lanekeeper", "config.yaml"), JSON.stringify(config));
}

/** Every GET route of the API, with every lane and every job. */
async function routes(): Promise<readonly string[]> {
  const { paths } = JSON.parse(await readApi(home, "/openapi.json")) as { paths: Record<string, object> };
  const jobs = await home.json<ApiJob[]>(["jobs", "-n", "100"]);
  expect(jobs.length).toBeGreaterThan(9);
  const items = await home.json<ApiInboxItem[]>(["inbox", "--all"]);
  expect(items.length).toBeGreaterThan(0);
  const ids = {
    "/v1/lanes/": [ward.born.id],
    "/v1/jobs/": jobs.map(({ id }) => id),
    "/v1/inbox/": items.map(({ id }) => id),
    "/v1/workspaces/": [ward.born.workspace],
  };
  return Object.entries(paths).flatMap(([path, methods]) => {
    if (!("get" in methods)) return [];
    if (!path.includes("{id}")) return [whole(path)];
    const [, known] = Object.entries(ids).find(([prefix]) => path.startsWith(prefix)) ?? [];
    if (!known) throw new Error(`no id for ${path}`);
    return known.map((id) => whole(path.replace("{id}", id)));
  });
}

/** Events from the first one to the last; they are followed where nobody says otherwise. */
function whole(path: string): string {
  return path.endsWith("/events") ? `${path}?follow=false&limit=10000` : path;
}

/** Every command that shows something, for people and for programs. */
async function sayAll(): Promise<void> {
  const { name } = ward;
  const jobs = await home.json<ApiJob[]>(["jobs", "-n", "100"]);
  const commands = [
    ["status"],
    ["ls"],
    ["show", name],
    ["plan", name],
    ["drift", name],
    ["history", name, "-n", "500"],
    ["jobs"],
    ["logs", name],
    ["logs", name, "--container"],
    ["agents", "ls"],
    ["credentials", "status"],
    ["doctor"],
    ...jobs.flatMap(({ id }) => [
      ["job", "show", id],
      ["job", "events", id],
    ]),
  ];
  for (const command of commands) await lane(...command, "--verbose");
  for (const command of commands.filter(([verb]) => verb !== "logs")) await lane(...command, "--json");
}
