import { laneRef } from "./lane-refs.ts";
import { readRefs } from "./read-refs.ts";

/**
 * The newest commit of a lane's branch, on whichever side that is: the lane's own as last imported, unless only the host
 * has moved since. Null when the branch is nowhere. Reads files, starts no process.
 */
export async function laneTip(query: {
  /** The repository's own git dir. */
  readonly gitDir: string;
  readonly lane: string;
  /** Short name. */
  readonly branch: string;
}): Promise<string | null> {
  const names = [`refs/heads/${query.branch}`, laneRef(query.lane, "head"), laneRef(query.lane, "base")] as const;
  const refs = await readRefs(query.gitDir, names);
  const [host = null, head = null, base = null] = names.map((name) => refs.get(name));
  return head === null || head === base ? (host ?? head) : head;
}
