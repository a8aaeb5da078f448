import type { Command } from "commander";
import type { ApiCredential } from "../../protocol/index.ts";
import { type Ctx, renderOptionsOf } from "../context.ts";
import { renderCredentials } from "../render-credentials.ts";
import { addGroup, type DefineVerb } from "../verb.ts";

/** A login is needed, and there is none that can be used. */
const LOGIN_NEEDED = 4;

/** `credentials status`, `credentials refresh`. */
export function defineCredentialVerbs(program: Command, define: DefineVerb): void {
  const group = addGroup(program, "credentials", "the logins of coding agents on this host");
  define(group, {
    usage: "status",
    summary: "where each agent's login is from, how it stands, and which lanes hold it",
    examples: ["lane credentials status", "lane credentials status --json"],
    run: async (ctx) => {
      const credentials = await (await ctx.api()).listCredentials();
      await print(ctx, credentials, credentials);
      return 0;
    },
  });
  define(group, {
    usage: "refresh [agent]",
    summary: "run the agent's sync command, read its login again, and bring it to the lanes",
    examples: ["lane credentials refresh claude", "lane credentials refresh"],
    exits: ["3  no such agent", "4  it has no login that can be used"],
    run: refresh,
  });
}

async function refresh(ctx: Ctx, [agent]: readonly string[]): Promise<number> {
  const api = await ctx.api();
  const names = agent === undefined ? (await api.listCredentials()).map((one) => one.agent) : [agent];
  ctx.progress.update("reading logins");
  const refreshed = await Promise.all(names.map((name) => api.refreshCredential(name)));
  await print(ctx, refreshed, agent === undefined ? refreshed : refreshed[0]);
  for (const { agent: name, changed } of refreshed) {
    if (changed && !ctx.json) await ctx.note(`${name} has another login now`);
  }
  return agent !== undefined && refreshed.some(({ state }) => state !== "usable") ? LOGIN_NEEDED : 0;
}

async function print(ctx: Ctx, shown: readonly ApiCredential[], json: unknown): Promise<void> {
  if (ctx.json) await ctx.printJson(json);
  else await ctx.print(...renderCredentials(shown, renderOptionsOf(ctx)));
}
