import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { agentCli, type CliName } from "../../support/agent-clis.ts";
import { type ModelService, startModelService } from "../../support/model-service/index.ts";

/** How a run of a CLI ended. */
export interface CliEnd {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly session: string;
  /** All that the model said. */
  readonly text: string;
}

/** A run that is under way. */
export interface CliRun {
  readonly pid: number;
  readonly end: Promise<CliEnd>;
  /** Pids of everything that lives and was started by this run. */
  processes(): Promise<readonly number[]>;
}

/** A CLI with a home, a repository and a model service of its own. Tries each request once. */
export interface CliScene extends AsyncDisposable {
  readonly repo: string;
  readonly key: string;
  readonly service: ModelService;
  start(prompt: string, opts?: { readonly resume?: string }): CliRun;
}

/** In the environment of everything a run starts. */
const MARKER = "LANEKEEPER_TEST_CLI_RUN";

const RUN_TIMEOUT_MS = 40_000;

/** Disposing ends what still runs and removes the files. */
export async function newCliScene(name: CliName): Promise<CliScene> {
  const program = await agentCli(name);
  const service = await startModelService({ host: "127.0.0.1" });
  const dir = await mkdtemp(join(tmpdir(), "lk-cli-"));
  const [home, repo] = [join(dir, "home"), join(dir, "repo")];
  await mkdir(join(home, ".gemini"), { recursive: true });
  await writeFile(join(home, ".gemini", "settings.json"), JSON.stringify(GEMINI_SETTINGS));
  await execa("git", ["init", "-q", repo]);
  const key = `key-${randomUUID()}`;
  const runs: CliRun[] = [];
  return {
    repo,
    key,
    service,
    start(prompt, opts = {}) {
      const run = randomUUID();
      const { argv, env } = COMMANDS[name](program, service, key, opts.resume ?? null);
      const { PATH = "" } = process.env;
      const child = execa(argv[0] as string, argv.slice(1), {
        cwd: repo,
        env: { ...env, PATH, HOME: home, TERM: "xterm-256color", [MARKER]: run },
        extendEnv: false,
        input: `${prompt}\n`,
        reject: false,
        timeout: RUN_TIMEOUT_MS,
      });
      const started: CliRun = {
        pid: child.pid as number,
        end: child.then(({ exitCode, stdout }) => ({ exitCode, stdout, ...wordsOf(stdout) })),
        processes: () => processesWith(`${MARKER}=${run}`),
      };
      runs.push(started);
      return started;
    },
    async [Symbol.asyncDispose]() {
      for (const pid of (await Promise.all(runs.map((run) => run.processes()))).flat()) process.kill(pid, "SIGKILL");
      await Promise.all(runs.map((run) => run.end));
      await service[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const GEMINI_SETTINGS = {
  security: { auth: { selectedType: "gemini-api-key" } },
  privacy: { usageStatisticsEnabled: false },
  telemetry: { enabled: false },
  general: { maxAttempts: 1 },
};

interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const COMMANDS: Readonly<
  Record<CliName, (program: string, service: ModelService, key: string, resume: string | null) => Command>
> = {
  claude: (program, service, key, resume) => ({
    argv: [
      ...[program, "-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"],
      ...(resume === null ? [] : ["--resume", resume]),
    ],
    env: {
      ANTHROPIC_BASE_URL: service.url("anthropic"),
      // A login token and not a key: with a key the CLI does not say when a limit ends.
      CLAUDE_CODE_OAUTH_TOKEN: key,
      CLAUDE_CODE_MAX_RETRIES: "0",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
      IS_SANDBOX: "1",
    },
  }),
  codex: (program, service, key, resume) => {
    const retries = "request_max_retries=0,stream_max_retries=0";
    const provider = `name="lane",base_url="${service.url("openai")}",env_key="LANE_KEY",wire_api="responses",supports_websockets=false,${retries}`;
    return {
      argv: [
        ...[program, "exec", ...(resume === null ? [] : ["resume"])],
        ...["--json", "--dangerously-bypass-approvals-and-sandbox"],
        ...["-c", 'model_provider="lane"', "-c", `model_providers.lane={${provider}}`],
        ...(resume === null ? ["-"] : [resume, "-"]),
      ],
      env: { LANE_KEY: key },
    };
  },
  gemini: (program, service, key, resume) => ({
    argv: [
      ...[process.execPath, program, "-o", "stream-json", "--approval-mode", "yolo"],
      ...(resume === null ? [] : ["--resume", resume]),
    ],
    env: {
      GOOGLE_GEMINI_BASE_URL: service.url("gemini"),
      GEMINI_API_KEY: key,
      GEMINI_CLI_TRUST_WORKSPACE: "true",
      GEMINI_CLI_NO_RELAUNCH: "true",
    },
  }),
};

/** The fields of the three streams that are looked at. */
interface Line {
  readonly type?: string;
  readonly session_id?: string;
  readonly thread_id?: string;
  readonly result?: string;
  readonly item?: { readonly type: string; readonly text?: string };
  readonly role?: string;
  readonly content?: string;
}

function wordsOf(stdout: string): Pick<CliEnd, "session" | "text"> {
  const lines = stdout.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Line] : []));
  const session = lines.map((line) => line.session_id ?? line.thread_id).find((id) => id !== undefined);
  const text = lines.map((line) => {
    if (line.type === "item.completed" && line.item?.type === "agent_message") return line.item.text;
    return line.role === "assistant" ? line.content : line.result;
  });
  return { session: session ?? "", text: text.join("") };
}

async function processesWith(variable: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const environs = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")));
  return pids.filter((_, index) => environs[index]?.split("\0").includes(variable));
}
