import type { ObservedContainer } from "../lane/index.ts";

/** What the host's process table says of a pid that a container was seen with. */
export interface PidFacts {
  /** The pid exists now and its start time is the one on record (or none is on record). */
  readonly alive: boolean;
}

/**
 * What is known of a container's life.
 * - `dead` is proven: status says so, the recorded host pid is gone and so is its cgroup's last process;
 * - `alive`: running, with its monitor;
 * - `paused`: frozen by someone;
 * - `orphaned`: running, but its monitor (conmon) is dead: no exit will ever be reported, and stop does not work;
 * - `limbo`: says that it is not running, or is on its way there, without proof. Never redispatch on it.
 */
export type Liveness =
  | {
      readonly kind: "dead";
      readonly exitCode: number | null;
      readonly oomKilled: boolean;
      readonly everStarted: boolean;
    }
  | { readonly kind: "alive" }
  | { readonly kind: "paused" }
  | { readonly kind: "orphaned" }
  | { readonly kind: "limbo"; readonly status: string };

/**
 * Judges a container (proof of death: guarantees page, section 2). `Running=false` alone proves nothing.
 * @param main the pid that the container had when last seen running
 */
export function judgeLiveness(seen: ObservedContainer, main: PidFacts, conmon: PidFacts): Liveness {
  switch (seen.status) {
    case "exited":
    case "stopped":
    case "created":
    case "configured":
      return main.alive
        ? { kind: "limbo", status: seen.status }
        : {
            kind: "dead",
            exitCode: seen.exitCode,
            oomKilled: seen.oomKilled,
            everStarted: seen.startedAtMs !== null,
          };
    case "running":
      if (!main.alive) return { kind: "limbo", status: "running, but its process is gone" };
      return conmon.alive ? { kind: "alive" } : { kind: "orphaned" };
    case "paused":
      return { kind: "paused" };
    case "initialized":
    case "stopping":
    case "removing":
    case "unknown":
      return { kind: "limbo", status: seen.status };
  }
}
