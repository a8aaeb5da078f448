import { openAgentCache } from "./agent-cache.ts";
import { createNpm } from "./npm.ts";

/** For tests: installs a package of the test registry in a process of its own, which can be killed. */
const { root, registry, home } = JSON.parse(process.argv[2] ?? "{}");
const env = { PATH: process.env.PATH, HOME: home, npm_config_registry: registry };
const platform = { os: "linux", cpu: "x64", libc: "glibc" } as const;
const cache = await openAgentCache({ root, platform, npm: createNpm(env), nowMs: Date.now });
await cache.install(
  {
    agent: "tool",
    version: "1.0.0",
    spec: {
      package: "@vendor/tool",
      programPackage: () => "@vendor/tool-linux-x64-glibc",
      program: () => "bin/tool",
      runtime: "binary",
    },
  },
  {},
);
