import type { Command } from "commander";
import type { ApiLaneDiff } from "../../protocol/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { resolveLane, WORKSPACE_OPTION, type WorkspaceOption } from "../lane-ref.ts";
import { renderFlags, renderPatch, renderStat } from "../render-diff.ts";
import { toPlain } from "../text.ts";
import type { DefineVerb } from "../verb.ts";

interface DiffOptions extends WorkspaceOption {
  readonly stat?: boolean;
  readonly base?: string;
}

/** What stands for bytes that are no UTF-8. */
const REPLACED = "\ufffd";

/** `diff`. */
export function defineDiff(program: Command, define: DefineVerb): void {
  define<DiffOptions>(program, {
    usage: "diff [lane] [paths...]",
    summary: "what a lane has changed since it left its base, uncommitted and untracked files included",
    options: [
      WORKSPACE_OPTION,
      ["--stat", "only the files, with their numbers of lines"],
      ["--base <ref>", "compare with this instead of the lane's base"],
    ],
    examples: [
      "lane diff fix-login",
      "lane diff fix-login --stat",
      "lane diff fix-login src/ | git apply",
      "lane diff fix-login --json | jq '.files[] | select(.flags != [])'",
    ],
    exits: ["3  no such lane"],
    run: diff,
  });
}

async function diff(ctx: Ctx, [named, ...words]: readonly string[], opts: DiffOptions): Promise<number> {
  const api = await ctx.api();
  const lane = await resolveLane(ctx, named, opts);
  const isTty = ctx.width !== undefined;
  // Piped, it is for `git apply`, which wants binary files whole.
  const binary = !isTty && !ctx.json && !opts.stat;
  const paths = [...words, ...(ctx.passthrough ?? [])].map((path) => path.replace(/^(\.\/)+/, ""));
  const parts: ApiLaneDiff[] = [];
  for (const path of paths.length === 0 ? [undefined] : paths) {
    parts.push(await api.diffLane(lane, { stat: opts.stat, binary, base: opts.base, path }));
  }
  const found = join(parts);
  if (ctx.json) {
    await ctx.printJson(found);
    return 0;
  }
  const flags = renderFlags(found.files, ctx.style);
  if (opts.stat || isTty) await ctx.print(...(opts.stat ? renderStat(found, renderOptionsOf(ctx)) : []), ...flags);
  else for (const line of flags) await ctx.note(line);
  const patch = found.patch ?? "";
  if (patch !== "") await ctx.io.stdout.write(isTty ? renderPatch(patch, ctx.style) : patch);
  await remark(ctx, found);
  return 0;
}

async function remark(ctx: Ctx, found: ApiLaneDiff): Promise<void> {
  if (found.files.length === 0) await ctx.note(`no difference to ${toPlain(found.base.ref)}`);
  if (found.stale)
    await ctx.note(`the lane's newest commits may be missing, and count as uncommitted: ${toPlain(found.stale)}`);
  if (found.truncated) await ctx.note("cut off: there is more, or files are too large to be compared");
  if (found.patch?.includes(REPLACED)) await ctx.note("some of it is no UTF-8: `git apply` will not take that");
}

/** Several paths are several answers. */
function join(parts: readonly ApiLaneDiff[]): ApiLaneDiff {
  const [first] = parts as readonly [ApiLaneDiff, ...ApiLaneDiff[]];
  const sum = (of: (part: ApiLaneDiff) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    ...first,
    files: parts.flatMap(({ files }) => files),
    additions: sum(({ additions }) => additions),
    deletions: sum(({ deletions }) => deletions),
    patch: first.patch === null ? null : parts.map(({ patch }) => patch).join(""),
    truncated: parts.some(({ truncated }) => truncated),
  };
}
