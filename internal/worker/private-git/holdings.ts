import type { WorkerFrame } from "../../protocol/index.ts";
import { GIT_LIMITS } from "../../protocol/link-terms.ts";

type Reply = Extract<WorkerFrame, { readonly t: "git.reply" }>["result"];

/** What the lane's git dir holds beside the lane's branch, as a frame says it. */
export type Holdings = Omit<Extract<Reply, { readonly kind: "holdings" }>, "kind">;

const OID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const NAME_MAX = 1024;

/** Reads what `LOOK_SCRIPT` printed; git there may be a forgery. Null when it is not whole. */
export function parseHoldings(shown: string): Holdings | null {
  const branches: Holdings["branches"] = [];
  let detached: string | null = null;
  let stashes: number | null = null;
  let more = false;
  const lines = shown.split("\n");
  for (const line of lines) {
    const [word = "", value = "", ...rest] = line.split(/ +/);
    if (word === "stashes" && /^\d{1,9}$/.test(value)) stashes = Number(value);
    if (!OID.test(value)) continue;
    const name = rest.join(" ").slice(0, NAME_MAX);
    if (word === "detached") detached = value;
    if (word !== "branch" || name === "") continue;
    if (branches.length < GIT_LIMITS.branches) branches.push({ name, tip: value });
    else more = true;
  }
  return stashes === null
    ? null
    : { branches, more, detached, stashes, submodules: lines.flatMap(toSubmodule).slice(0, GIT_LIMITS.branches) };
}

function toSubmodule(line: string): NonNullable<Holdings["submodules"]> {
  const [, commits, others, path] = /^submodule +(\d{1,9}) +(\d{1,9}) (.{1,1024})$/.exec(line) ?? [];
  return path === undefined ? [] : [{ path, commits: Number(commits), others: Number(others) }];
}
