/**
 * Who may import what: the one table of import zones. `biome.json` is written from it (`npm run zones`), and `make check`
 * fails when they differ or when the code breaks them. Arrows point to lower tiers only.
 */
export interface Zone {
  /** Rooms of `internal/` that this one may import, beside itself. */
  readonly rooms: readonly string[];
  /** npm packages that it may use. */
  readonly packages: readonly string[];
}

const TIER_0 = ["base", "lane", "job"];
const PURE = [...TIER_0, "fingerprint", "reconcile", "protocol", "config"];

/** Every room of `internal/`. */
export const ROOMS: Readonly<Record<string, Zone>> = {
  base: { rooms: [], packages: [] },
  lane: { rooms: ["base"], packages: [] },
  job: { rooms: ["base"], packages: [] },
  fingerprint: { rooms: TIER_0, packages: [] },
  reconcile: { rooms: [...TIER_0, "fingerprint"], packages: [] },
  protocol: { rooms: TIER_0, packages: ["zod"] },
  config: { rooms: TIER_0, packages: ["zod", "yaml"] },
  agents: { rooms: ["base", "job"], packages: [] },
  podman: { rooms: PURE, packages: ["undici", "zod", "execa"] },
  git: { rooms: PURE, packages: ["execa", "zod"] },
  host: { rooms: [...PURE, "agents"], packages: ["execa", "zod"] },
  credentials: { rooms: [...PURE, "agents"], packages: ["execa", "zod", "chokidar"] },
  store: { rooms: PURE, packages: ["better-sqlite3", "zod"] },
  workerlink: { rooms: PURE, packages: ["ws", "undici"] },
  supervisor: { rooms: PURE, packages: ["pino"] },
  dispatch: { rooms: PURE, packages: ["pino"] },
  inbox: { rooms: PURE, packages: ["pino"] },
  hostapi: { rooms: PURE, packages: ["hono", "@hono/node-server", "pino", "ws", "prom-client"] },
  doctor: { rooms: PURE, packages: ["execa"] },
  daemon: {
    rooms: [
      ...[...PURE, "agents"],
      ...[
        "podman",
        "git",
        "host",
        "credentials",
        "store",
        "workerlink",
        "supervisor",
        "dispatch",
        "inbox",
        "hostapi",
        "doctor",
      ],
    ],
    packages: ["pino"],
  },
  cli: { rooms: ["base", "lane", "job", "protocol", "config"], packages: ["commander", "undici", "execa"] },
  web: {
    rooms: ["base", "lane", "job", "protocol"],
    packages: ["preact", "@preact/signals", "marked", "@xterm/xterm", "@xterm/addon-fit"],
  },
  worker: { rooms: ["base", "lane", "job", "protocol", "agents"], packages: ["ws"] },
  build: { rooms: ["base"], packages: ["esbuild"] },
};

/** Every folder of `cmd/`. */
export const PROGRAMS_ZONES: Readonly<Record<string, Zone>> = {
  lane: { rooms: ["base", "config", "cli"], packages: [] },
  laned: { rooms: ["base", "config", "protocol", "daemon", "doctor"], packages: ["pino"] },
  "lane-worker": { rooms: ["base", "protocol", "worker"], packages: [] },
  inbox: { rooms: ["base", "protocol", "worker"], packages: [] },
};

/** Every npm package that any zone speaks of. */
export const ZONED_PACKAGES = [
  ...["execa", "undici", "zod", "pino", "chokidar", "ws", "hono", "@hono/node-server", "better-sqlite3", "commander"],
  ...["yaml", "tar-stream", "esbuild", "prom-client", "preact", "@preact/signals", "marked"],
  ...["@xterm/xterm", "@xterm/addon-fit"],
];
