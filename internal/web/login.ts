/** What logging in needs of the browser. */
export interface LoginEnv {
  readonly location: Pick<Location, "hash" | "pathname" | "search">;
  readonly history: Pick<History, "replaceState">;
  /** This tab's own: other ports of this machine do not see it, and it is sent nowhere by itself. */
  readonly sessionStorage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  readonly fetch: typeof fetch;
  /** Between the tabs of this very origin. */
  readonly openChannel: () => Channel;
}

/** As a `BroadcastChannel`. */
export type Channel = Pick<BroadcastChannel, "postMessage" | "close" | "onmessage">;

/** The outcome of logging in; `reason` is for the person. */
export type Login = { readonly kind: "in"; readonly token: string } | { readonly kind: "out"; readonly reason: string };

const KEY = "lanekeeper-token";
/** Other tabs answer within a few ms, if there are any. */
const ASK_TABS_MS = 300;

/**
 * The token that the page sends with each call: for a one-time code in the address's fragment, which is taken out of the
 * address at once; else the one that this tab has, or that another tab of the page gives. A code that does not work
 * does not log out.
 */
export async function ensureToken(env: LoginEnv = browser()): Promise<Login> {
  const code = takeCode(env);
  const redeemed = code === null ? null : await redeem(env, code);
  if (redeemed?.kind === "in") return keep(env, redeemed.token);
  const kept = env.sessionStorage.getItem(KEY) ?? (await askTabs(env));
  if (kept !== null) return keep(env, kept);
  return redeemed ?? { kind: "out", reason: "This tab is not logged in." };
}

/** Drops a token that the daemon does not take (any more). */
export function forgetToken(env: Pick<LoginEnv, "sessionStorage"> = browser()): void {
  env.sessionStorage.removeItem(KEY);
}

function browser(): LoginEnv {
  return {
    location: window.location,
    history: window.history,
    sessionStorage: window.sessionStorage,
    fetch: (...args) => window.fetch(...args),
    openChannel: () => new BroadcastChannel(KEY),
  };
}

/** The channel stays open: tabs that are opened later ask by it. */
function keep(env: LoginEnv, token: string): Login {
  env.sessionStorage.setItem(KEY, token);
  const channel = env.openChannel();
  channel.onmessage = ({ data }) => {
    const current = env.sessionStorage.getItem(KEY);
    if (data === "ask" && current !== null) channel.postMessage({ token: current });
  };
  return { kind: "in", token };
}

function askTabs(env: LoginEnv): Promise<string | null> {
  return new Promise((resolve) => {
    const channel = env.openChannel();
    const done = (token: string | null) => {
      channel.close();
      clearTimeout(timer);
      resolve(token);
    };
    const timer = setTimeout(() => done(null), ASK_TABS_MS);
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "object" && data !== null && "token" in data && typeof data.token === "string")
        done(data.token);
    };
    channel.postMessage("ask");
  });
}

function takeCode({ location, history }: LoginEnv): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code === null) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return code;
}

async function redeem(env: LoginEnv, code: string): Promise<Login> {
  try {
    const response = await env.fetch("/v1/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code }),
      credentials: "omit",
      cache: "no-store",
    });
    const answer = (await response.json()) as { readonly token?: string; readonly detail?: string };
    if (response.ok && answer.token) return { kind: "in", token: answer.token };
    return { kind: "out", reason: answer.detail ?? `The daemon answered ${response.status}.` };
  } catch {
    return { kind: "out", reason: "The daemon does not answer." };
  }
}
