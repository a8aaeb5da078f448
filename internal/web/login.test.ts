import { describe, expect, it } from "vitest";
import { type Channel, ensureToken, forgetToken, type LoginEnv } from "./login.ts";

/** Tabs of one origin, and of one daemon that knows the codes given. */
function makeTabs(codes: readonly string[]) {
  const channels = new Set<Channel>();
  const asked: string[] = [];
  return {
    asked,
    tab(hash = "", kept: string | null = null) {
      const store = new Map(kept === null ? [] : [["lanekeeper-token", kept]]);
      const replaced: string[] = [];
      const env: LoginEnv = {
        location: { hash, pathname: "/lanes", search: "?q" },
        history: { replaceState: (_data, _unused, url) => void replaced.push(String(url)) },
        sessionStorage: {
          getItem: (name) => store.get(name) ?? null,
          setItem: (name, value) => void store.set(name, value),
          removeItem: (name) => void store.delete(name),
        },
        fetch: async (path, init) => {
          asked.push(`${init?.method} ${path} ${init?.body}`);
          const { code } = JSON.parse(String(init?.body)) as { code: string };
          return codes.includes(code)
            ? Response.json({ token: `token-${code}` })
            : Response.json({ detail: "used before" }, { status: 401 });
        },
        openChannel: () => {
          const channel: Channel = {
            onmessage: null,
            close: () => void channels.delete(channel),
            postMessage(data) {
              for (const other of channels) {
                const hear =
                  other === channel ? null : (other.onmessage as ((event: { data: unknown }) => void) | null);
                queueMicrotask(() => hear?.({ data }));
              }
            },
          };
          channels.add(channel);
          return channel;
        },
      };
      return { env, store, replaced };
    },
  };
}

describe("logging in", () => {
  it("exchanges the fragment's code, takes it out of the address, and keeps the token for this tab", async () => {
    const { tab, asked } = makeTabs(["c1"]);
    const { env, store, replaced } = tab("#code=c1");
    expect(await ensureToken(env)).toEqual({ kind: "in", token: "token-c1" });
    expect([replaced, asked, store.get("lanekeeper-token")]).toEqual([
      ["/lanes?q"],
      ['POST /v1/login {"code":"c1"}'],
      "token-c1",
    ]);
    forgetToken(env);
    expect(store.size).toBe(0);
  });

  it("uses the tab's own token without asking, also when a code does not work", async () => {
    const { tab, asked } = makeTabs([]);
    expect(await ensureToken(tab("", "mine").env)).toEqual({ kind: "in", token: "mine" });
    expect(asked).toEqual([]);
    expect(await ensureToken(tab("#code=old", "mine").env)).toEqual({ kind: "in", token: "mine" });
  });

  it("gets the token from another tab, and never a forgotten one", async () => {
    const { tab } = makeTabs([]);
    const first = tab("", "shared");
    await ensureToken(first.env);
    const second = tab();
    expect(await ensureToken(second.env)).toEqual({ kind: "in", token: "shared" });
    forgetToken(first.env);
    forgetToken(second.env);
    expect(await ensureToken(tab().env)).toMatchObject({ kind: "out" });
  });

  it("says why it cannot", async () => {
    const { tab } = makeTabs([]);
    expect(await ensureToken(tab("#code=old").env)).toEqual({ kind: "out", reason: "used before" });
    expect(await ensureToken(tab().env)).toEqual({ kind: "out", reason: "This tab is not logged in." });
    const { env } = tab("#code=x");
    const offline = { ...env, fetch: () => Promise.reject(new TypeError("no")) };
    expect(await ensureToken(offline)).toEqual({ kind: "out", reason: "The daemon does not answer." });
  });
});
