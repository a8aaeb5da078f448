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
  for (const line of shown.split("\n")) {
    const [word = "", value = "", ...rest] = line.split(/ +/);
    if (word === "stashes" && /^\d{1,9}$/.test(value)) stashes = Number(value);
    if (!OID.test(value)) continue;
    const name = rest.join(" ").slice(0, NAME_MAX);
    if (word === "detached") detached = value;
    if (word !== "branch" || name === "") continue;
    if (branches.length < GIT_LIMITS.branches) branches.push({ name, tip: value });
    else more = true;
  }
  return stashes === null ? null : { branches, more, detached, stashes };
}
