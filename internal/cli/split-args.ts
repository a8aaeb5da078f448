/** Verbs whose words after `--` are a command, or paths, not arguments of ours. */
const PASSTHROUGH_VERBS: readonly string[] = ["run", "exec", "diff"];

/**
 * Splits off what is after the first `--` of such a verb; others keep their words. Has to happen before commander
 * sees them: it drops the `--`, and with it the difference between a prompt and a command, a lane and a path.
 */
export function splitArgs(argv: readonly string[]): {
  readonly own: readonly string[];
  readonly passthrough: readonly string[] | null;
} {
  const at = argv.indexOf("--");
  const verb = argv
    .slice(0, Math.max(0, at))
    .find((word, index) => !word.startsWith("-") && argv[index - 1] !== "--color");
  if (at < 0 || verb === undefined || !PASSTHROUGH_VERBS.includes(verb)) return { own: argv, passthrough: null };
  return { own: argv.slice(0, at), passthrough: argv.slice(at + 1) };
}
