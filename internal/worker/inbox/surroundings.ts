import type { ApiLaneSummary } from "../../protocol/index.ts";
import { readArgs } from "./parse-args.ts";
import { callOrStop, EXIT, type InboxDeps, show, usage } from "./session.ts";

/** `inbox context`: resolves with the exit code. @throws Stop */
export async function showContext(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const args = readArgs(argv, {});
  if (args.words.length > 0) throw usage("inbox context takes no words");
  const context = await callOrStop(deps, { method: "GET", path: "/v1/lane/context" });
  show(deps, context, args.flag("json") ? null : renderFields(context));
  return EXIT.ok;
}

/** `inbox lanes`: resolves with the exit code. @throws Stop */
export async function showLanes(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const args = readArgs(argv, {});
  if (args.words.length > 0) throw usage("inbox lanes takes no words");
  const lanes = (await callOrStop(deps, { method: "GET", path: "/v1/lane/lanes" })) as readonly ApiLaneSummary[];
  const lines = lanes.map(({ name, state, branch, job, queued }) => {
    const work = `${job === null ? "idle" : `job ${job}`}${queued === 0 ? "" : `, ${queued} queued`}`;
    return `${name}  ${state}  ${branch}  ${work}\n`;
  });
  show(deps, lanes, args.flag("json") ? null : lines.join(""));
  return EXIT.ok;
}

/** An object as aligned `name  value` lines; what is not set is shown as `-`. */
function renderFields(body: unknown): string {
  const fields = Object.entries((body ?? {}) as Readonly<Record<string, unknown>>);
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  const text = (value: unknown) =>
    value === null ? "-" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${text(value)}\n`).join("");
}
