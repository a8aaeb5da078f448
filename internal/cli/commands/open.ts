import { rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import type { Ctx } from "../context.ts";
import type { DefineVerb } from "../verb.ts";

interface OpenOptions {
  readonly print?: boolean;
}

/** How long a program that opens a browser may take; some stay until the browser ends. */
const OPENER_BUDGET_MS = 2000;

/** `open`. */
export function defineOpen(program: Command, define: DefineVerb): void {
  define<OpenOptions>(program, {
    usage: "open",
    summary: "open the page in the browser, or print its address where there is no display",
    options: [["--print", "print the address; its code works once, for five minutes"]],
    examples: ["lane open", "lane open --print    # over ssh: forward the port, then open the address"],
    run: open,
  });
}

async function open(ctx: Ctx, _args: readonly string[], opts: OpenOptions): Promise<number> {
  const { url, expiresAt } = await (await ctx.api()).issueLoginCode();
  const { DISPLAY, WAYLAND_DISPLAY } = ctx.io.env;
  const wantsBrowser = !opts.print && !ctx.json && Boolean(DISPLAY || WAYLAND_DISPLAY);
  if (wantsBrowser && (await openBrowser(ctx, url))) {
    await ctx.note(`the page is opened: ${new URL(url).origin}`);
    return 0;
  }
  if (ctx.json) await ctx.printJson({ url, expiresAt });
  else await ctx.print(url);
  return 0;
}

/**
 * Leads the browser there by a file that only this user can read: an address in a command line would show its code to
 * every user of this machine. False when there is nothing to open it with.
 */
async function openBrowser(ctx: Ctx, url: string): Promise<boolean> {
  const { socket } = await ctx.deps.locate();
  const file = join(dirname(socket), "open.html");
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, renderRedirect(url), { mode: 0o600 });
  await rename(draft, file);
  const { execa } = await import("execa");
  const opener = execa("xdg-open", [pathToFileURL(file).href], {
    env: { ...ctx.io.env },
    extendEnv: false,
    stdio: "ignore",
    reject: false,
    detached: true,
    cleanup: false,
  });
  opener.unref();
  const isOpened = opener.then(({ exitCode }) => exitCode === 0);
  return Promise.race([isOpened, ctx.clock.sleep(OPENER_BUDGET_MS, ctx).then(() => true)]);
}

/** Ours is the only text in it: the address holds digits and letters. */
function renderRedirect(url: string): string {
  return `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${url}"><title>Lanekeeper</title><a href="${url}">Lanekeeper</a>\n`;
}
