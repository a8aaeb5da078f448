import type { Command } from "commander";
import { AppError } from "../../base/index.ts";
import type { Api } from "../api.ts";
import { type Candidate, completeWords, type NameKind } from "../complete-words.ts";
import { COMPLETION_SCRIPTS, SHELLS } from "../completion-scripts.ts";
import type { Ctx } from "../context.ts";
import { renderJobWork } from "../render-job.ts";
import { toPlain, truncate } from "../text.ts";
import type { DefineVerb } from "../verb.ts";

/** A person waits with a finger on the key: a daemon that does not answer by then is as good as none. */
const NAMES_BUDGET_MS = 1000;
const NAMES_MAX = 50;
const ABOUT_WIDTH = 60;

/** `completion`, and the hidden verb that its scripts call. */
export function defineCompletion(program: Command, define: DefineVerb): void {
  define(program, {
    usage: "completion <shell>",
    summary: "print a script that completes verbs, options and names in bash, zsh or fish",
    examples: [
      "source <(lane completion bash)     # in ~/.bashrc",
      "source <(lane completion zsh)      # in ~/.zshrc, after compinit",
      "lane completion fish | source      # in ~/.config/fish/config.fish",
    ],
    run: printScript,
  });
  define(program, {
    usage: "__complete [words...]",
    summary: "candidates for the last of these words",
    examples: [],
    hidden: true,
    run: async (ctx, words) => {
      const wanted = completeWords(program, words);
      if (wanted.kind === "files") await ctx.print(":files");
      else if (wanted.kind === "words") await print(ctx, wanted.words);
      else {
        const typed = (words.at(-1) ?? "").slice(wanted.prefix.length);
        const names = (await namesOf(ctx, wanted.of)).filter(({ value }) => value.startsWith(typed));
        await print(
          ctx,
          names.map(({ value, about }) => ({ value: wanted.prefix + value, about })),
        );
      }
      return 0;
    },
  });
}

async function printScript(ctx: Ctx, [named]: readonly string[]): Promise<number> {
  const shell = SHELLS.find((one) => one === named);
  if (shell === undefined) {
    throw new AppError({
      code: "usage.invalid",
      message: `there is no completion for ${JSON.stringify(named)}`,
      hint: `one of ${SHELLS.join(", ")}`,
    });
  }
  if (ctx.json) await ctx.printJson({ shell, script: COMPLETION_SCRIPTS[shell] });
  else await ctx.print(COMPLETION_SCRIPTS[shell].trimEnd());
  return 0;
}

async function print(ctx: Ctx, candidates: readonly Candidate[]): Promise<void> {
  await ctx.print(
    ...candidates.map(({ value, about }) => `${toPlain(value)}\t${truncate(toPlain(about), ABOUT_WIDTH)}`),
  );
}

/** Names that the daemon knows; none when there is no daemon: one is never started, and nothing is ever complained of. */
async function namesOf(ctx: Ctx, kind: NameKind): Promise<readonly Candidate[]> {
  try {
    const api = await ctx.api();
    return await Promise.race([listNames(api, kind), late(ctx)]);
  } catch {
    return [];
  }
}

async function late(ctx: Ctx): Promise<readonly Candidate[]> {
  await ctx.clock.sleep(NAMES_BUDGET_MS, { signal: ctx.signal });
  return [];
}

async function listNames(api: Api, kind: NameKind): Promise<readonly Candidate[]> {
  switch (kind) {
    case "lane": {
      const lanes = await api.listLanes();
      return lanes.map(({ name, state, branch }) => ({ value: name, about: `${state}, branch ${branch}` }));
    }
    case "workspace": {
      const workspaces = await api.listWorkspaces();
      return workspaces.map(({ name, path }) => ({ value: name, about: path }));
    }
    case "job": {
      const jobs = await api.listJobs(NAMES_MAX);
      return jobs.map((job) => ({ value: job.id, about: `${job.laneName} ${job.state}: ${renderJobWork(job)}` }));
    }
    case "item": {
      const { items } = await api.listInbox({ state: "open", limit: NAMES_MAX });
      return items.map(({ id, kind: what, laneName, title }) => ({
        value: id,
        about: `${what} ${laneName ?? "-"}: ${title}`,
      }));
    }
    case "agent": {
      const agents = await api.listAgents();
      return agents.map(({ agent, title }) => ({ value: agent, about: title }));
    }
  }
}
