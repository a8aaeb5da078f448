import { INBOX_HELP } from "../../agents/inbox-help.ts";
import { runAsk } from "./ask.ts";
import { runReport } from "./report.ts";
import { EXIT, type InboxDeps, Stop, usage } from "./session.ts";
import { showContext, showLanes } from "./surroundings.ts";
import { runTask } from "./tasks.ts";

type Verb = (argv: readonly string[], deps: InboxDeps) => Promise<number>;

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ["ask", runAsk],
  ["report", runReport],
  ["task", runTask],
  ["lanes", showLanes],
  ["context", showContext],
]);

/** Runs one `inbox` command line; resolves with the exit code. Data goes to stdout, everything else to stderr. */
export async function runInbox(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const [name, ...rest] = argv;
  if (name === "help" || argv.includes("--help") || argv.includes("-h")) {
    deps.out(INBOX_HELP);
    return EXIT.ok;
  }
  if (name === undefined) {
    deps.err(INBOX_HELP);
    return EXIT.usage;
  }
  try {
    const verb = VERBS.get(name);
    if (!verb) throw usage(`no such command: ${name}`);
    return await verb(rest, deps);
  } catch (caught) {
    if (!(caught instanceof Stop)) throw caught;
    deps.err(`inbox: ${caught.message}\n`);
    return caught.exitCode;
  }
}
