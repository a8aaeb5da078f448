import { relative, resolve } from "node:path";
import type { Report } from "../../protocol/index.ts";
import { readArgs } from "./parse-args.ts";
import { callOrStop, EXIT, type InboxDeps, readText, show, usage } from "./session.ts";

const LEVELS = ["info", "warn", "done", "blocked"] as const;

/** `inbox report`: resolves with the exit code. @throws Stop */
export async function runReport(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const args = readArgs(argv, { level: "text", file: "list", key: "text" });
  const [given = "", ...more] = args.words;
  if (more.length > 0) throw usage("put the report in quotes");
  const level = LEVELS.find((one) => one === (args.text("level") ?? "info"));
  if (level === undefined) throw usage("--level is info, warn, done or blocked");
  const files = args.list("file").map((path) => relative(deps.workspace, resolve(deps.cwd, path)));
  const body: Report = {
    level,
    body: await readText(deps, given, "the report"),
    ...(files.length > 0 && { files }),
  };
  const key = args.text("key") ?? deps.newKey();
  const told = await callOrStop(deps, { method: "POST", path: "/v1/lane/report", key, body });
  show(deps, told, args.flag("json") ? null : "");
  return EXIT.ok;
}
