import * as z from "zod";
import { checkBy, type LoginFile, refuse, timeSchema, tokenSchema } from "./login-file.ts";

const schema = z.looseObject({
  claudeAiOauth: z.looseObject({
    accessToken: tokenSchema,
    refreshToken: tokenSchema,
    expiresAt: timeSchema,
    refreshTokenExpiresAt: timeSchema,
  }),
});

/** `~/.claude/.credentials.json`. When a renewal is refused, Claude Code writes it anew with blank tokens. */
export const claudeLogin: LoginFile = {
  check: checkBy(schema, ({ claudeAiOauth: { accessToken, refreshToken, expiresAt, refreshTokenExpiresAt } }) => {
    if (accessToken === null) return refuse("holds no token: Claude Code has been logged out");
    return {
      kind: "ok",
      facts: {
        secret: refreshToken ?? accessToken,
        expiresAtMs: expiresAt,
        endsAtMs: refreshToken === null ? expiresAt : refreshTokenExpiresAt,
        rotates: refreshToken !== null,
        identity: null,
      },
    };
  }),
  renewed: ["claudeAiOauth"],
  logIn: "run claude on the host and use /login",
};
