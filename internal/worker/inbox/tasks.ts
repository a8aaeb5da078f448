import type { ApiTask, CreateTask } from "../../protocol/index.ts";
import { readArgs } from "./parse-args.ts";
import { callOrStop, EXIT, type InboxDeps, readText, show, usage } from "./session.ts";

const PATH = "/v1/lane/tasks";

/** `inbox task create|ls|done`: resolves with the exit code. @throws Stop */
export async function runTask([verb, ...argv]: readonly string[], deps: InboxDeps): Promise<number> {
  if (verb === "create") return create(argv, deps);
  if (verb === "ls") return list(argv, deps);
  if (verb === "done") return finish(argv, deps);
  throw usage("say inbox task create, ls or done");
}

async function create(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const args = readArgs(argv, { body: "text", key: "text" });
  const [title = "", ...more] = args.words;
  if (more.length > 0) throw usage("put the title in quotes");
  const text = args.text("body");
  const body: CreateTask = {
    title: await readText(deps, title, "the title"),
    ...(text !== undefined && { body: await readText(deps, text, "--body") }),
  };
  const key = args.text("key") ?? deps.newKey();
  const task = (await callOrStop(deps, { method: "POST", path: PATH, key, body })) as ApiTask;
  show(deps, task, args.flag("json") ? null : `${task.id} ${task.state}\n`);
  return EXIT.ok;
}

async function list(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const args = readArgs(argv, {});
  if (args.words.length > 0) throw usage("inbox task ls takes no words");
  const tasks = (await callOrStop(deps, { method: "GET", path: PATH })) as readonly ApiTask[];
  const lines = tasks.map((task) => `${task.id}  ${task.state.padEnd(8)}  ${task.lane}  ${task.title}\n`);
  show(deps, tasks, args.flag("json") ? null : lines.join(""));
  return EXIT.ok;
}

async function finish(argv: readonly string[], deps: InboxDeps): Promise<number> {
  const args = readArgs(argv, { key: "text" });
  const [id = "", ...more] = args.words;
  if (more.length > 0 || !/^[0-9a-z]{1,64}$/.test(id)) throw usage("give the id of one task");
  const key = args.text("key") ?? deps.newKey();
  const path = `${PATH}/${id}/done`;
  const task = (await callOrStop(deps, { method: "POST", path, key, body: {} })) as ApiTask;
  show(deps, task, args.flag("json") ? null : `${task.id} ${task.state}\n`);
  return EXIT.ok;
}
