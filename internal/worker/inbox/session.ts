import { type CallClock, callHost, type HostCall, type HostReply, textOf } from "./call-host.ts";

/** What the `inbox` program works with. */
export interface InboxDeps {
  /** `INBOX_API_URL`: the relay in this lane. */
  readonly apiUrl: string | undefined;
  readonly clock: CallClock;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** All of standard input. */
  readonly readStdin: () => Promise<string>;
  /** A new idempotency key. */
  readonly newKey: () => string;
  /** The current folder, and the work tree's. */
  readonly cwd: string;
  readonly workspace: string;
  /** How long the host may be away; 2 minutes but in tests. */
  readonly budgetMs?: number | undefined;
}

/** Exit codes, as those of `lane`. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 5,
  daemonUnreachable: 6,
  timedOut: 7,
  blocked: 8,
} as const;

/** An end of the program with a message and an exit code. */
export class Stop extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A wrong command line. */
export const usage = (message: string): Stop => new Stop(`${message}; see \`inbox --help\``, EXIT.usage);

/** Long enough for a restart of the host's daemon, also one that changes its version. */
const BUDGET_MS = 120_000;

/** Calls the host. @throws Stop unless it says yes */
export async function callOrStop(
  deps: InboxDeps,
  call: HostCall,
  budgetMs = deps.budgetMs ?? BUDGET_MS,
): Promise<unknown> {
  if (deps.apiUrl === undefined) throw new Stop("INBOX_API_URL is not set: run this inside a lane", EXIT.usage);
  const outcome = await callHost(deps.apiUrl, call, { budgetMs, clock: deps.clock });
  if (outcome.kind === "unreachable") {
    throw new Stop(`the host is not reachable: ${outcome.reason}`, EXIT.daemonUnreachable);
  }
  const { reply } = outcome;
  if (reply.status === 200) return reply.body;
  const hint = textOf(reply.body, "hint");
  const said = textOf(reply.body, "detail") ?? `the host answered ${reply.status}`;
  throw new Stop(`${said}${hint === null ? "" : `\nnext: ${hint}`}`, exitOf(reply));
}

function exitOf({ status }: HostReply): number {
  if (status === 400 || status === 413) return EXIT.usage;
  if (status === 404) return EXIT.notFound;
  return status === 409 || status === 422 ? EXIT.conflict : EXIT.failed;
}

/** A text argument, or for `-` standard input. @throws Stop when it is blank */
export async function readText(deps: InboxDeps, given: string, what: string): Promise<string> {
  const text = given === "-" ? await deps.readStdin() : given;
  if (text.trim() === "") throw usage(`${what} is empty`);
  return text;
}

/** Prints an answer: as one line of JSON, or in `words`. */
export function show(deps: InboxDeps, body: unknown, words: string | null): void {
  deps.out(words === null ? `${JSON.stringify(body)}\n` : words);
}
