import { describe, expect, it } from "vitest";
import { parseAptProxies, readRegistryAccess } from "./registry-access.ts";

describe("registry access", () => {
  it("takes apt's proxies, and none with a password", () => {
    const dump = `Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::http::Proxy::mirror.example "DIRECT";
Acquire::https::Proxy "http://me:secret@proxy.example:3128";
Acquire::https::CaInfo "/etc/x";
`;
    expect(parseAptProxies(dump)).toEqual([
      "Acquire::http::Proxy=http://proxy.example:3128",
      "Acquire::http::Proxy::mirror.example=DIRECT",
    ]);
  });

  it("hands on proxies of the environment, no login, and nothing else", async () => {
    const env = {
      ...{ HTTP_PROXY: "http://p.example:1", https_proxy: "http://a:b@p.example:1", no_proxy: "localhost" },
      ...{ TOKEN: "secret", PATH: "/nowhere", npm_config__authToken: "secret" },
    };
    expect(await readRegistryAccess(env, {})).toEqual({
      env: { HTTP_PROXY: "http://p.example:1", no_proxy: "localhost" },
      aptOptions: [],
    });
  });
});
