import type { Command } from "commander";
import { AppError, hasCode } from "../../base/index.ts";
import type { ApiInboxItem } from "../../protocol/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { renderQuestion, toOutcome } from "../render-inbox.ts";
import { toPlain } from "../text.ts";
import type { DefineVerb } from "../verb.ts";

interface AnswerOptions {
  readonly text?: boolean;
  readonly yes?: boolean;
  /** commander's name for `--no-input`. */
  readonly input?: boolean;
}

/** Nothing was answered. */
const EXIT_DECLINED = 1;

/** `answer`. */
export function defineAnswer(program: Command, define: DefineVerb): void {
  define<AnswerOptions>(program, {
    usage: "answer <item> [answer...]",
    summary: "answer a question or an approval: a choice's number or words, free text, or - for standard input",
    options: [
      ["--text", "take the answer as it is, even when it is a number"],
      ["-y, --yes", "do not ask: the default, or yes to an approval"],
      ["--no-input", "never ask on the terminal"],
    ],
    examples: [
      "lane answer 01jz4k8m2q              # asks, with numbered choices",
      "lane answer 01jz4k8m2q 2",
      "lane answer 01jz4k8m2q use the second schema",
      "lane answer 01jz4k8m2q - < answer.md",
    ],
    exits: ["3  no such item", "5  somebody answered it already, or its time has come"],
    run: answer,
  });
}

async function answer(ctx: Ctx, [id = "", ...words]: readonly string[], opts: AnswerOptions): Promise<number> {
  const api = await ctx.api();
  const item = await api.showItem(id);
  const given = words.length === 0 ? await ask(ctx, item, opts) : await read(ctx, item, words.join(" "), opts);
  if (given === null) {
    await ctx.note("nothing was answered");
    return EXIT_DECLINED;
  }
  try {
    const answered = await api.answerItem(item.id, given);
    if (ctx.json) await ctx.printJson(answered);
    else await ctx.print(toPlain(`item ${answered.id} is answered: ${given}`));
    return 0;
  } catch (caught) {
    if (!hasCode(caught, "inbox.answered")) throw caught;
    throw tooLate(await api.showItem(item.id), caught);
  }
}

async function read(ctx: Ctx, item: ApiInboxItem, words: string, opts: AnswerOptions): Promise<string> {
  if (words !== "-" || opts.text) return toAnswer(item, words, opts);
  const text = (await ctx.io.stdin.readAll()).trimEnd();
  if (text !== "") return text;
  throw new AppError({ code: "usage.invalid", message: "standard input holds no answer", hint: "write one into it" });
}

/** Asks the person at the terminal; null when they say nothing. @throws usage.invalid without a terminal */
async function ask(ctx: Ctx, item: ApiInboxItem, opts: AnswerOptions): Promise<string | null> {
  const { stdin, stderr } = ctx.io;
  const presumed = item.default ?? (item.kind === "approval" ? "yes" : null);
  if (opts.yes && presumed !== null) return presumed;
  if (opts.yes || opts.input === false || ctx.json || !stdin.isTty || !stderr.isTty) throw unanswered(item);
  const options = { ...renderOptionsOf(ctx), width: stderr.columns };
  await stderr.write(`${renderQuestion(item, options).join("\n")}\n\n`);
  await stderr.write(item.choices.length === 0 ? "Answer: " : `Answer (1-${item.choices.length}, or words): `);
  const typed = (await stdin.readLine()).trim();
  return typed === "" ? null : toAnswer(item, typed, opts);
}

/** A choice's number stands for its words. @throws usage.invalid for a number that is none */
function toAnswer(item: ApiInboxItem, given: string, opts: AnswerOptions): string {
  if (opts.text || item.choices.length === 0 || item.choices.includes(given) || !/^\d+$/.test(given)) return given;
  const choice = item.choices[Number(given) - 1];
  if (choice !== undefined) return choice;
  throw new AppError({
    code: "usage.invalid",
    message: `item ${item.id} has the choices 1 to ${item.choices.length}, not ${given}`,
    hint: "add --text when that number is the answer itself",
    details: { choices: item.choices.map((text, at) => `${at + 1}) ${text}`) },
  });
}

function unanswered(item: ApiInboxItem): AppError {
  return new AppError({
    code: "usage.invalid",
    message: `no answer given: ${item.title}`,
    hint: `lane answer ${item.id} <answer>`,
    details: item.choices.length === 0 ? {} : { choices: item.choices.map((text, at) => `${at + 1}) ${text}`) },
  });
}

function tooLate(item: ApiInboxItem, cause: AppError): AppError {
  return new AppError({
    code: "inbox.answered",
    message: `item ${item.id} is ${toOutcome(item)}`,
    hint: "nothing was changed",
    cause,
  });
}
