import { type Argument, Command, Option } from "commander";
import { defineAgentVerbs } from "./commands/agents.ts";
import { defineCompletion } from "./commands/completion.ts";
import { defineConfigVerbs } from "./commands/config.ts";
import { defineCredentialVerbs } from "./commands/credentials.ts";
import { defineDaemonVerbs } from "./commands/daemon.ts";
import { defineDemo } from "./commands/demo.ts";
import { defineDiff } from "./commands/diff.ts";
import { defineEvents } from "./commands/events.ts";
import { defineExecVerbs } from "./commands/exec.ts";
import { defineInboxVerbs } from "./commands/inbox.ts";
import { defineJobVerbs } from "./commands/jobs.ts";
import { defineLaneActs } from "./commands/lane-acts.ts";
import { defineLaneVerbs } from "./commands/lanes.ts";
import { defineLogs } from "./commands/logs.ts";
import { defineMerge } from "./commands/merge.ts";
import { defineOpen } from "./commands/open.ts";
import { definePrune } from "./commands/prune.ts";
import { defineRun } from "./commands/run.ts";
import { defineServiceVerbs } from "./commands/service.ts";
import { defineSet } from "./commands/set.ts";
import { defineSetup } from "./commands/setup.ts";
import { defineWorkspaceVerbs } from "./commands/workspace.ts";
import type { CliDeps, CommonOptions } from "./context.ts";
import { createContext } from "./context.ts";
import type { ColorChoice } from "./style.ts";
import { shortBuild } from "./text.ts";
import { type DefineVerb, renderDescription, renderExits, type VerbSpec } from "./verb.ts";

const EXAMPLES = [
  "lane up                            start the daemon",
  "lane workspace add .               register this repository",
  "lane add fix-login                 a branch, a worktree and a container",
  "lane run fix-login -- npm test     a command in it",
  "lane ls                            what is there",
];

/** Builds the command tree. `setExitCode` gets the code of the verb that ran. */
export function createProgram(
  deps: CliDeps,
  passthrough: readonly string[] | null,
  setExitCode: (code: number) => void,
): Command {
  const program = new Command("lane")
    .description(
      renderDescription({
        summary: "Keeps one container per git-worktree lane and runs work in it.",
        examples: EXAMPLES,
      }),
    )
    .configureHelp({ subcommandTerm: (verb) => [verb.name(), ...verb.registeredArguments.map(termOf)].join(" ") })
    .version(`lane ${deps.build.version} (build ${shortBuild(deps.build.build)})`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [verb]", "print a verb's help")
    .showSuggestionAfterError(true)
    .addHelpText("after", "\n`lane help <verb>` tells more, with examples and exit codes.");
  addCommonOptions(program);

  const define: DefineVerb = <Options>(parent: Command, spec: VerbSpec<Options>) => {
    const verb = parent.command(spec.usage, spec.hidden ? { hidden: true } : {}).summary(spec.summary);
    verb.description(renderDescription(spec)).helpOption("-h, --help", "print this help");
    for (const [flags, summary, parse] of spec.options ?? []) {
      if (parse === undefined) verb.option(flags, summary);
      else verb.option(flags, summary, parse);
    }
    addCommonOptions(verb);
    verb.addHelpText("after", renderExits(spec.exits ?? []));
    verb.action(async () => {
      const { ctx, dispose } = createContext(deps, commonOptionsOf(verb), passthrough);
      try {
        setExitCode(await spec.run(ctx, verb.args, verb.opts() as Options));
      } finally {
        await ctx.progress.clear();
        dispose();
      }
    });
  };
  for (const defineGroup of [
    defineDaemonVerbs,
    defineOpen,
    defineWorkspaceVerbs,
    defineLaneVerbs,
    defineLaneActs,
    definePrune,
    defineSet,
    defineDiff,
    defineMerge,
    defineConfigVerbs,
    defineSetup,
    defineRun,
    defineJobVerbs,
    defineLogs,
    defineExecVerbs,
    defineAgentVerbs,
    defineCredentialVerbs,
    defineInboxVerbs,
    defineEvents,
    defineDemo,
    defineCompletion,
    defineServiceVerbs,
  ]) {
    defineGroup(program, define);
  }
  return program;
}

function termOf(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function addCommonOptions(command: Command): void {
  const options = [
    new Option("--json", "print JSON"),
    new Option("-q, --quiet", "no progress and remarks"),
    new Option("--verbose", "print the causes of an error"),
    new Option("--color <when>", "auto, always or never").choices(["auto", "always", "never"]),
    new Option("--no-color", "the same as --color never"),
  ];
  for (const option of options) command.addOption(option.helpGroup("Common options:"));
}

/** The common options, wherever in the line they stood: `lane --json ls` and `lane ls --json` are the same. */
export function commonOptionsOf(command: Command): CommonOptions {
  const chain: Command[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) chain.push(at);
  const given = (name: string): unknown =>
    chain.find((one) => one.getOptionValueSource(name) === "cli")?.getOptionValue(name);
  const color = given("color");
  return {
    json: given("json") === true,
    quiet: given("quiet") === true,
    verbose: given("verbose") === true,
    color: color === false ? "never" : color === undefined ? "auto" : (color as ColorChoice),
  };
}
