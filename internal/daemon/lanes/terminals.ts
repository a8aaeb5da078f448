import { type Clock, hasCode, newId, TaskGroup, throwIfAborted } from "../../base/index.ts";
import type { TerminalService, TerminalSession } from "../../hostapi/index.ts";
import { LOGIN_SHELL } from "../../lane/index.ts";
import { createExecClient, type ExecClient } from "../../podman/index.ts";
import type { Core } from "../core.ts";
import { type LaneCommand, laneCommandOf } from "./exec-plan.ts";
import type { TerminalMark, TerminalMarks } from "./terminal-marks.ts";

/** On every process of a terminal, so that none outlives it. */
const MARKER = "LANEKEEPER_TERMINAL";
const START_DEADLINE_MS = 30_000;
const END_DEADLINE_MS = 20_000;
/** How long a lane is waited for in which an earlier daemon had a terminal. */
const LEFT_TRIES = 120;
const LEFT_EVERY_MS = 500;

/**
 * Ends what carries the mark `$1`, and the sessions that it is in: HUP as from a terminal that goes away, then KILL until
 * nothing is left. 4 s without success are a failure: then the engine or the machine is in trouble.
 */
const END_SCRIPT = `
find_all() {
  pids= sids=' '
  for f in $(grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null); do
    f=\${f%/environ}
    IFS= read -r s 2>/dev/null < "$f/stat" || continue
    set -- "$1" \${s##*) }
    [ "$2" = Z ] || { pids="$pids \${f#/proc/}"; sids="$sids$5 "; }
  done
  [ "$sids" = ' ' ] && return
  for f in /proc/[0-9]*; do
    IFS= read -r s 2>/dev/null < "$f/stat" || continue
    set -- "$1" \${s##*) }
    case $sids in *" $5 "*) [ "$2" = Z ] || pids="$pids \${f#/proc/}";; esac
  done
}
signal=HUP n=0
while [ $n -lt 80 ]; do
  find_all "$1"
  [ -z "$pids" ] && exit 0
  if [ $signal = HUP ] || [ $n -ge 10 ]; then kill -$signal $pids 2>/dev/null; signal=KILL; fi
  n=$((n + 1))
  sleep 0.05
done
exit 1
`;

/** Shells in lanes, by the engine's exec sessions; ended with their pages, and all of them with the daemon. */
export interface Terminals extends TerminalService, AsyncDisposable {}

/** What terminals are made from. */
export interface TerminalDeps {
  readonly core: Core;
  readonly marks: TerminalMarks;
  readonly clock: Clock;
  /** Hears of a terminal whose processes could not be ended. */
  readonly log: { warn(fields: object, message: string): void };
}

/** Begins by ending what a dead daemon has left. */
export function createTerminals(deps: TerminalDeps): Terminals {
  const { core, marks, clock, log } = deps;
  const { supervisor, store } = core;
  const open = new Set<TerminalSession>();
  const closing = new AbortController();
  const background = new TaskGroup((name, err) =>
    log.warn({ op: name, err }, "terminals of an earlier daemon may be left"),
  );
  let known: { readonly address: string; readonly client: ExecClient } | null = null;
  const clientNow = (): ExecClient => {
    const { address } = supervisor.connection().facts;
    if (known?.address === address) return known.client;
    void known?.client.close();
    known = { address, client: createExecClient(address) };
    return known.client;
  };
  const commandOf = (laneId: string, argv: readonly string[]): LaneCommand => {
    const seen = supervisor.view(laneId);
    return laneCommandOf(seen, store.lanes.findGeneration(laneId, seen.lane.generation)?.spec ?? null, argv);
  };
  const killerOf = ({ mark, laneId }: TerminalMark) =>
    commandOf(laneId, ["/bin/sh", "-c", END_SCRIPT, "lane-terminal-end", `${MARKER}=${mark}`]);

  /** Ends all that carries the mark. @throws engine.* when that cannot be looked after */
  const endMarked = async (client: ExecClient, killer: LaneCommand, { mark, laneId }: TerminalMark) => {
    const exitCode = await client.run(killer, { deadlineMs: END_DEADLINE_MS });
    if (exitCode !== 0) log.warn({ op: "endTerminal", lane: laneId, exitCode }, "processes of a terminal may be left");
    await marks.remove(mark);
  };
  /** A lane whose container does not run has none of them; it is asked for a while, as it may be about to be found. */
  const endLeft = async (one: TerminalMark) => {
    for (let tries = 0; tries < LEFT_TRIES && supervisor.findLane(one.laneId) !== null; tries++) {
      try {
        return await endMarked(clientNow(), killerOf(one), one);
      } catch (caught) {
        if (!hasCode(caught, "lane.not_ready", "engine.unavailable")) throw caught;
        await clock.sleep(LEFT_EVERY_MS, closing);
      }
    }
    await marks.remove(one.mark);
  };
  background.run("endLeftTerminals", async () => {
    for (const one of await marks.list()) await endLeft(one).catch(ignoreClosing(closing.signal));
  });

  return {
    check: (laneId) => void commandOf(laneId, []),
    async open(laneId, { size, signal }) {
      const client = clientNow();
      const one = { mark: newId(), laneId };
      const shell = commandOf(laneId, LOGIN_SHELL);
      const killer = killerOf(one);
      let ending: Promise<void> | null = null;
      const end = () => {
        ending ??= endMarked(client, killer, one).catch((err: unknown) => {
          // With its container all of it has ended.
          log.warn({ op: "endTerminal", lane: laneId, err }, "a terminal's end could not be looked after");
        });
        return ending;
      };
      await marks.add(one);
      try {
        const env = { ...shell.env, TERM: "xterm-256color", [MARKER]: one.mark };
        // Never cut off halfway: what the engine may still be starting could not be ended.
        const session = await client.openTerminal(
          { ...shell, env },
          { signal: AbortSignal.timeout(START_DEADLINE_MS) },
        );
        const terminal: TerminalSession = { ...session, end: () => end().finally(() => open.delete(terminal)) };
        open.add(terminal);
        session.stream.on("error", () => undefined);
        await session.resize(size, { signal }).catch(() => undefined);
        throwIfAborted(signal);
        return terminal;
      } catch (caught) {
        await end();
        throw caught;
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all([...open].map((terminal) => terminal.end()));
      await background.close();
      await known?.client.close();
    },
  };
}

function ignoreClosing(signal: AbortSignal): (caught: unknown) => void {
  return (caught) => {
    if (!signal.aborted) throw caught;
  };
}
