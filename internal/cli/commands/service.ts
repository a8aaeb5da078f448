import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { AppError } from "../../base/index.ts";
import type { Ctx } from "../context.ts";
import { findDaemon } from "../ensure-daemon.ts";
import { renderUnit, UNIT_NAME } from "../service-unit.ts";
import { createSystemdUser, type SystemdUser } from "../systemd-user.ts";
import { renderFacts } from "../table.ts";
import { addGroup, type DefineVerb } from "../verb.ts";

const NOT_INSTALLED = 3;
const NO_LINGER = "it ends with your last session, and starts with the next: `loginctl enable-linger` keeps it";

/** `service install`, `service uninstall`, `service status`. */
export function defineServiceVerbs(program: Command, define: DefineVerb): void {
  const group = addGroup(program, "service", "laned as a service of your systemd");
  define<{ readonly print?: boolean }>(group, {
    usage: "install",
    summary: "have systemd start laned with your session, and again when it fails",
    options: [["--print", "print the unit, change nothing"]],
    examples: ["lane service install", "lane service install --print"],
    run: install,
  });
  define(group, {
    usage: "uninstall",
    summary: "stop laned and take its unit away; lanes and their jobs go on",
    examples: ["lane service uninstall"],
    run: uninstall,
  });
  define(group, {
    usage: "status",
    summary: "whether the unit is there, enabled and active, and whether it outlives your session",
    examples: ["lane service status", "lane service status --json"],
    exits: ["3  it is not installed"],
    run: status,
  });
}

async function install(ctx: Ctx, _args: readonly string[], opts: { readonly print?: boolean }): Promise<number> {
  const unit = unitOf(ctx);
  if (opts.print) {
    if (ctx.json) await ctx.printJson({ path: unit.path, text: unit.text });
    else await ctx.print(unit.text.trimEnd());
    return 0;
  }
  const systemd = createSystemdUser(ctx.io.env, ctx);
  await systemd.require();
  const { ActiveState } = await systemd.show(UNIT_NAME, ["ActiveState"]);
  // One that `lane up` started holds the lock: the service would only find that out.
  const rival = ActiveState === "active" ? null : await findDaemon(ctx);
  await writeUnit(unit);
  await systemd.run("daemon-reload");
  await systemd.run("enable", UNIT_NAME);
  if (rival === null) await systemd.run(ActiveState === "active" ? "restart" : "start", UNIT_NAME);
  if (ctx.json) await ctx.printJson(await observe(ctx, systemd));
  else await ctx.print(`${UNIT_NAME} is installed${rival === null ? " and started" : ""} (${unit.path})`);
  if (rival !== null) {
    await ctx.note(`laned already runs (pid ${rival.pid}); hand it over: lane down && systemctl --user start laned`);
  }
  if (!(await systemd.lingers(uidOf()))) await ctx.note(NO_LINGER);
  return 0;
}

async function uninstall(ctx: Ctx): Promise<number> {
  const unit = unitOf(ctx);
  const systemd = createSystemdUser(ctx.io.env, ctx);
  const wasThere = (await readUnit(unit.path)) !== null;
  // Without systemd nothing of it can run; the file still goes.
  const answers = await systemd.isThere();
  if (wasThere && answers) await systemd.run("disable", "--now", UNIT_NAME);
  await rm(unit.path, { force: true });
  if (wasThere && answers) await systemd.run("daemon-reload");
  if (ctx.json) await ctx.printJson({ path: unit.path, removed: wasThere });
  else if (wasThere) await ctx.print(`${UNIT_NAME} is removed; lanes and their jobs go on`);
  else await ctx.print(`${UNIT_NAME} is not installed`);
  return 0;
}

async function status(ctx: Ctx): Promise<number> {
  const systemd = createSystemdUser(ctx.io.env, ctx);
  const seen = await observe(ctx, systemd);
  if (ctx.json) await ctx.printJson(seen);
  else await ctx.print(...renderSeen(seen));
  return seen.installed ? 0 : NOT_INSTALLED;
}

function renderSeen(seen: Awaited<ReturnType<typeof observe>>): readonly string[] {
  const outdated = seen.installed && !seen.current;
  const text = outdated ? "installed, of another build or place" : seen.installed ? "installed" : "not installed";
  return renderFacts([
    ["unit", `${text} (${seen.path})`],
    ["systemd", seen.systemd ? null : "does not answer here; `lane up` starts laned without it"],
    ["enabled", seen.enabled],
    ["state", seen.active],
    ["pid", seen.pid === null ? null : String(seen.pid)],
    ["lingering", seen.systemd ? (seen.lingers ? "yes" : `no: ${NO_LINGER}`) : null],
    ["next", outdated ? "lane service install" : null],
  ]);
}

async function observe(ctx: Ctx, systemd: SystemdUser) {
  const unit = unitOf(ctx);
  const text = await readUnit(unit.path);
  const answers = await systemd.isThere();
  const found = answers ? await systemd.show(UNIT_NAME, ["ActiveState", "UnitFileState", "MainPID"]) : {};
  const pid = Number(found.MainPID ?? 0);
  return {
    path: unit.path,
    installed: text !== null,
    /** It is what an installation now would write. */
    current: text === unit.text,
    systemd: answers,
    enabled: found.UnitFileState || null,
    active: found.ActiveState || null,
    pid: pid > 0 ? pid : null,
    lingers: answers && (await systemd.lingers(uidOf())),
  };
}

interface UnitFile {
  readonly path: string;
  readonly text: string;
}

function unitOf(ctx: Ctx): UnitFile {
  const { env } = ctx.io;
  const config = env.XDG_CONFIG_HOME || (env.HOME ? path.join(env.HOME, ".config") : null);
  if (config === null) {
    throw new AppError({ code: "config.invalid", message: "HOME is not set", hint: "set it, or XDG_CONFIG_HOME" });
  }
  return {
    path: path.join(config, "systemd", "user", UNIT_NAME),
    text: renderUnit({ node: process.execPath, laned: ctx.deps.laned, env, uid: uidOf() }),
  };
}

async function writeUnit({ path: file, text }: UnitFile): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, text, { mode: 0o644 });
  await rename(`${file}.new`, file);
}

async function readUnit(file: string): Promise<string | null> {
  return readFile(file, "utf8").catch(() => null);
}

function uidOf(): number {
  return process.getuid?.() ?? 0;
}
