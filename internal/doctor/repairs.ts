import { assertNever } from "../base/index.ts";
import type { HostFacts } from "./facts.ts";

/** What `lane doctor --fix` may change: only things of this user that cannot hurt. */
export type Repair =
  | { readonly op: "restrict"; readonly path: string; readonly mode: number }
  | { readonly op: "linger"; readonly user: string };

/** Decides what can be mended without asking. Pure. */
export function planRepairs(host: HostFacts): readonly Repair[] {
  const { stat, path } = host.stateFolder;
  const repairs: Repair[] = [];
  if (stat !== null && stat.uid === host.uid && (stat.mode & 0o077) !== 0)
    repairs.push({ op: "restrict", path, mode: 0o700 });
  if (host.uid !== 0 && host.rootless.linger === false) repairs.push({ op: "linger", user: host.user });
  return repairs;
}

/** One line per repair, for people. */
export function renderRepair(repair: Repair): string {
  switch (repair.op) {
    case "restrict":
      return `chmod ${repair.mode.toString(8)} ${repair.path}`;
    case "linger":
      return `loginctl enable-linger ${repair.user}`;
    default:
      return assertNever(repair);
  }
}
