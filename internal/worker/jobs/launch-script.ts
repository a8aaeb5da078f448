/** Exit code of a launcher that did not execute the work; the status channel says why. */
export const NOT_LAUNCHED = 97;

/**
 * First half, as the worker: claims the attempt and waits for the word to go. `$1` is the marker's path, the rest is
 * what to execute. Descriptor 3 is the status channel. A second launcher of the same attempt fails at the exclusive
 * create (`set -C`), so an attempt can never be started twice; a disk that refuses the marker is told apart. The worker
 * makes the marker durable before it says `go`; should it die first, `read` fails and nothing is executed, though the
 * attempt counts as started.
 */
export const CLAIM_SCRIPT = `set -C
marker=$1
shift
read -r a b c d e f g h i j k l m n o p q r s t u start rest < "/proc/$$/stat"
if ! { true > "$marker"; } 2> /dev/null; then
  if [ -e "$marker" ]; then echo exists >&3; else echo unmarked >&3; fi
  exit ${NOT_LAUNCHED}
fi
if ! { printf '%s %s\\n' "$$" "$start" >> "$marker"; } 2> /dev/null; then
  echo unmarked >&3
  exit ${NOT_LAUNCHED}
fi
echo claimed >&3
read -r word <&3 || exit ${NOT_LAUNCHED}
[ "$word" = go ] || exit ${NOT_LAUNCHED}
exec "$@"
`;

/**
 * Second half, as the agent's user: `$1` is the working directory (only the agent may be able to enter it), `$2` the
 * number of `NAME=value` settings that follow, the rest is the work. Closes the status channel just before the work is
 * executed, and tells it so: whatever ends before was no run of the work.
 */
export const ENTER_SCRIPT = `if ! cd -- "$1"; then
  echo cwd >&3
  exit ${NOT_LAUNCHED}
fi
unset OLDPWD
left=$2
shift 2
while [ "$left" -gt 0 ]; do
  export "$1"
  shift
  left=$((left - 1))
done
echo executing >&3
exec 3>&-
exec "$@"
`;

/** What a launcher says on its status channel, one word a line. */
export type LaunchWord = "exists" | "unmarked" | "claimed" | "cwd" | "executing";

const WORDS: ReadonlySet<string> = new Set<LaunchWord>(["exists", "unmarked", "claimed", "cwd", "executing"]);

/** Is this one of its words? */
export function isLaunchWord(text: string): text is LaunchWord {
  return WORDS.has(text);
}

/** The launcher's argv. Every value is a positional parameter, none becomes part of a script. */
export function toLaunchArgv(launch: {
  readonly shell: string;
  readonly marker: string;
  readonly identityArgv: readonly string[];
  readonly cwd: string;
  readonly lateEnv: readonly string[];
  readonly argv: readonly string[];
}): readonly [string, ...string[]] {
  return [
    launch.shell,
    "-c",
    CLAIM_SCRIPT,
    "lane-launcher",
    launch.marker,
    ...launch.identityArgv,
    launch.shell,
    "-c",
    ENTER_SCRIPT,
    "lane-launcher",
    launch.cwd,
    String(launch.lateEnv.length),
    ...launch.lateEnv,
    ...launch.argv,
  ];
}
