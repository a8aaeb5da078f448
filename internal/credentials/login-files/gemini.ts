import * as z from "zod";
import { checkBy, type LoginFile, refuse, timeSchema, tokenSchema } from "./login-file.ts";

const schema = z.looseObject({ access_token: tokenSchema, refresh_token: tokenSchema, expiry_date: timeSchema });

/** `~/.gemini/oauth_creds.json`. Its refresh token stays the same, so copies do not log each other out. */
export const geminiLogin: LoginFile = {
  check: checkBy(schema, ({ access_token: accessToken, refresh_token: refreshToken, expiry_date: expiresAtMs }) => {
    const secret = refreshToken ?? accessToken;
    if (secret === null) return refuse("holds no token: Gemini CLI is logged out");
    const endsAtMs = refreshToken === null ? expiresAtMs : null;
    return { kind: "ok", facts: { secret, expiresAtMs, endsAtMs, rotates: false, identity: null } };
  }),
  renewed: [],
  logIn: "run gemini on the host and log in",
};
