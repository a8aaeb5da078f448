import * as z from "zod";
import { checkBy, type LoginFile, refuse, tokenSchema, toTime } from "./login-file.ts";

const schema = z.looseObject({
  OPENAI_API_KEY: tokenSchema,
  tokens: z.looseObject({ access_token: tokenSchema, refresh_token: tokenSchema, account_id: tokenSchema }).nullish(),
});

/** `~/.codex/auth.json`: an API key, or the tokens of a ChatGPT login. */
export const codexLogin: LoginFile = {
  check: checkBy(schema, ({ OPENAI_API_KEY: apiKey, tokens }) => {
    const accessToken = tokens?.access_token ?? null;
    const refreshToken = tokens?.refresh_token ?? null;
    if (accessToken === null) {
      if (apiKey === null) return refuse("holds neither tokens nor an API key: Codex is logged out");
      return {
        kind: "ok",
        facts: { secret: apiKey, expiresAtMs: null, endsAtMs: null, rotates: false, identity: null },
      };
    }
    const expiresAtMs = endOfJwt(accessToken);
    return {
      kind: "ok",
      facts: {
        secret: refreshToken ?? accessToken,
        expiresAtMs,
        endsAtMs: refreshToken === null ? expiresAtMs : null,
        rotates: refreshToken !== null,
        identity: tokens?.account_id ?? null,
      },
    };
  }),
  renewed: ["tokens", "last_refresh"],
  logIn: "run codex login on the host",
};

const claimsSchema = z.looseObject({ exp: z.number() });

/** `exp` of a JSON Web Token, ms; null for what is none. Its signature is the vendor's business. */
function endOfJwt(token: string): number | null {
  try {
    const claims = claimsSchema.safeParse(JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()));
    return claims.success ? toTime(claims.data.exp * 1000) : null;
  } catch {
    return null;
  }
}
