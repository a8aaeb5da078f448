import { type CallClock, callHost, detailOf } from "./call-host.ts";

/** What the `inbox` program works with. */
export interface InboxDeps {
  /** `INBOX_API_URL`: the relay in this lane. */
  readonly apiUrl: string | undefined;
  readonly clock: CallClock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** How long the host may be away; 30 s but in tests. */
  readonly budgetMs?: number | undefined;
}

/** Exit codes, as those of `lane`. */
const EXIT = { ok: 0, failed: 1, usage: 2, notFound: 3, daemonUnreachable: 6, timedOut: 7 } as const;

const BUDGET_MS = 30_000;
/** Verbs of the contract that this version does not have. */
const NOT_YET = ["ask", "report", "task", "lanes"];

const HELP = `inbox: talk to the host from inside a lane

  inbox context [--json]   which lane this is: its name, workspace, branch, generation, role and job

Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 6 host unreachable,
7 no answer in time.
`;

/** Runs one `inbox` command line; resolves with the exit code. */
export async function runInbox(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const [verb, ...rest] = argv;
  if (verb === "--help" || verb === "-h" || verb === "help") {
    deps.out(HELP);
    return EXIT.ok;
  }
  if (verb === undefined) {
    deps.err(HELP);
    return EXIT.usage;
  }
  if (NOT_YET.includes(verb)) {
    deps.err(`inbox ${verb} is not available in this version\n`);
    return EXIT.usage;
  }
  if (verb !== "context") return usage(deps, `no such command: ${verb}`);
  const wrong = rest.find((flag) => flag !== "--json");
  return wrong === undefined ? showContext(rest.includes("--json"), deps) : usage(deps, `no such option: ${wrong}`);
}

function usage(deps: InboxDeps, message: string): number {
  deps.err(`inbox: ${message}; see \`inbox --help\`\n`);
  return EXIT.usage;
}

async function showContext(json: boolean, deps: InboxDeps): Promise<number> {
  if (deps.apiUrl === undefined) {
    deps.err("inbox: INBOX_API_URL is not set: run this inside a lane\n");
    return EXIT.usage;
  }
  const budgetMs = deps.budgetMs ?? BUDGET_MS;
  const outcome = await callHost(`${deps.apiUrl}/v1/lane/context`, { budgetMs, clock: deps.clock });
  if (outcome.kind === "unreachable") {
    deps.err(`inbox: the host is not reachable: ${outcome.reason}\n`);
    return EXIT.daemonUnreachable;
  }
  const { status, body } = outcome.reply;
  if (status !== 200) {
    deps.err(`inbox: ${detailOf(body) ?? `the host answered ${status}`}\n`);
    return exitOf(status);
  }
  deps.out(json ? `${JSON.stringify(body)}\n` : renderFields(body));
  return EXIT.ok;
}

function exitOf(status: number): number {
  if (status === 404) return EXIT.notFound;
  return status === 504 ? EXIT.timedOut : EXIT.failed;
}

/** An object as aligned `name  value` lines; what is not set is shown as `-`. */
function renderFields(body: unknown): string {
  const fields = Object.entries((body ?? {}) as Readonly<Record<string, unknown>>);
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  const text = (value: unknown) =>
    value === null ? "-" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${text(value)}\n`).join("");
}
