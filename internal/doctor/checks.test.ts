import { describe, expect, it } from "vitest";
import type { CheckLevel } from "./check.ts";
import { isAtLeast, parseVersion, renderBytes } from "./check.ts";
import { evaluateChecks } from "./checks.ts";
import type { DoctorFacts, DoctorPodmanFacts, HostFacts } from "./facts.ts";
import { planRepairs } from "./repairs.ts";

const GIB = 1024 ** 3;

const HOST: HostFacts = {
  nodeVersion: "20.20.2",
  platform: "linux",
  arch: "x64",
  uid: 0,
  user: "root",
  tools: {
    podman: { path: "/usr/bin/podman", version: "4.3.1" },
    git: { path: "/usr/bin/git", version: "2.39.5" },
    runc: { path: "/usr/sbin/runc", version: "1.1.5" },
    conmon: { path: "/usr/bin/conmon", version: null },
    netavark: { path: "/usr/lib/podman/netavark", version: null },
    "aardvark-dns": { path: "/usr/lib/podman/aardvark-dns", version: null },
    iptables: { path: "/usr/sbin/iptables", version: null },
    catatonit: { path: "/usr/bin/catatonit", version: null },
    newuidmap: { path: "/usr/bin/newuidmap", version: null },
    slirp4netns: { path: "/usr/bin/slirp4netns", version: null },
  },
  cgroups: "v2",
  selinux: "off",
  rootless: { subuid: true, subgid: true, linger: true, tunWritable: true },
  cpus: 2,
  memory: { totalBytes: 8 * GIB, availableBytes: 4 * GIB },
  stateFolder: {
    path: "/s",
    stat: { mode: 0o700, uid: 0 },
    freeBytes: 50 * GIB,
  },
  caBundle: "/etc/ssl/certs/ca-certificates.crt",
  apiPort: { port: 4711, configured: false, taken: false },
  daemon: { kind: "absent" },
  worktree: { path: "/repo", uid: 1000 },
};

const REACHABLE = {
  kind: "reachable",
  version: "4.3.1",
  address: "unix:///run/podman/podman.sock",
  own: true,
  rootless: false,
  limitsEffective: true,
  networkBackend: "netavark",
} as const;

const PODMAN: DoctorPodmanFacts = {
  engine: REACHABLE,
  profile: {
    runtime: "runc",
    ulimits: { nofile: 4096 },
    tries: [
      { name: "crun", error: "no" },
      { name: "runc", error: null },
    ],
  },
  image: {
    reference: "localhost/lane-runtime:local",
    id: "a".repeat(64),
    nodeVersion: "20.20.2",
  },
  storage: {
    path: "/var/lib/containers",
    stat: { mode: 0o700, uid: 0 },
    freeBytes: 50 * GIB,
  },
};

const FACTS: DoctorFacts = { host: HOST, podman: PODMAN };

function host(change: Partial<HostFacts>): DoctorFacts {
  return { host: { ...HOST, ...change }, podman: PODMAN };
}

function podman(change: Partial<DoctorPodmanFacts>): DoctorFacts {
  return { host: HOST, podman: { ...PODMAN, ...change } };
}

function without(...names: readonly (keyof HostFacts["tools"])[]): DoctorFacts {
  return host({
    tools: Object.fromEntries(Object.entries(HOST.tools).filter(([name]) => !names.some((n) => n === name))),
  });
}

const user = {
  uid: 1000,
  user: "ada",
  stateFolder: { ...HOST.stateFolder, stat: { mode: 0o700, uid: 1000 } },
};

describe("evaluateChecks", () => {
  it("finds nothing wrong with a sound machine", () => {
    const checks = evaluateChecks(FACTS);
    expect(checks.filter((check) => check.level !== "ok")).toEqual([]);
    expect(checks.length).toBeGreaterThan(15);
    expect(new Set(checks.map((check) => check.id)).size).toBe(checks.length);
  });

  const table: readonly (readonly [string, DoctorFacts, string, CheckLevel, RegExp])[] = [
    ["an old Node", host({ nodeVersion: "18.20.4" }), "node.version", "fail", /18\.20\.4 is older than 20\.19\.0/],
    ["another system", host({ platform: "darwin" }), "platform", "fail", /darwin/],
    ["another processor", host({ arch: "riscv64" }), "platform", "warn", /untested/],
    ["no podman", without("podman"), "podman.version", "fail", /not found on PATH/],
    [
      "an old podman",
      host({
        tools: { ...HOST.tools, podman: { path: "/p", version: "4.2.9" } },
      }),
      "podman.version",
      "fail",
      /4\.2\.9 is older than 4\.3\.0/,
    ],
    [
      "a silent podman",
      host({ tools: { ...HOST.tools, podman: { path: "/p", version: null } } }),
      "podman.version",
      "warn",
      /does not tell/,
    ],
    ["no git", without("git"), "git.version", "fail", /not found/],
    ["no runtime", without("runc"), "runtime.present", "fail", /neither crun nor runc/],
    [
      "no netavark and iptables",
      without("netavark", "iptables"),
      "network.helpers",
      "fail",
      /missing: netavark, iptables/,
    ],
    ["no aardvark", without("aardvark-dns"), "network.helpers", "warn", /no aardvark-dns/],
    ["no init", without("catatonit"), "init.present", "fail", /catatonit/],
    ["no conmon", without("conmon"), "conmon.present", "fail", /not found/],
    [
      "no engine",
      podman({
        engine: {
          kind: "unreachable",
          message: "it is away",
          hint: "start it",
        },
      }),
      "engine.reachable",
      "fail",
      /it is away/,
    ],
    [
      "limits without effect",
      podman({ engine: { ...REACHABLE, limitsEffective: false } }),
      "engine.limits",
      "warn",
      /ignored/,
    ],
    [
      "another network backend",
      podman({ engine: { ...REACHABLE, networkBackend: "cni" } }),
      "engine.network",
      "warn",
      /cni/,
    ],
    [
      "no profile",
      podman({
        profile: {
          runtime: null,
          ulimits: {},
          tries: [{ name: "crun", error: "hybrid" }],
        },
      }),
      "engine.profile",
      "fail",
      /crun: hybrid/,
    ],
    [
      "no image",
      podman({ image: { reference: "r", id: null, nodeVersion: null } }),
      "image.present",
      "fail",
      /r is not there/,
    ],
    [
      "an image with an old Node",
      podman({
        image: { reference: "r", id: "b".repeat(64), nodeVersion: "18.0.0" },
      }),
      "image.present",
      "fail",
      /Node 18\.0\.0/,
    ],
    ["no cgroups", host({ cgroups: "none" }), "cgroups", "fail", /no cgroup/],
    [
      "no id maps",
      host({ ...user, rootless: { ...HOST.rootless, subuid: false } }),
      "rootless.maps",
      "fail",
      /ada has no range in \/etc\/subuid$/,
    ],
    [
      "no linger",
      host({ ...user, rootless: { ...HOST.rootless, linger: false } }),
      "rootless.linger",
      "warn",
      /log out/,
    ],
    [
      "no tun",
      host({ ...user, rootless: { ...HOST.rootless, tunWritable: false } }),
      "rootless.tun",
      "fail",
      /cannot be opened/,
    ],
    [
      "little memory",
      host({ memory: { totalBytes: GIB, availableBytes: GIB / 2 } }),
      "memory",
      "warn",
      /512 MiB available of 1\.0 GiB/,
    ],
    [
      "little disk",
      host({ stateFolder: { ...HOST.stateFolder, freeBytes: 2 * GIB } }),
      "disk.state",
      "warn",
      /2\.0 GiB free/,
    ],
    [
      "no disk",
      podman({ storage: { path: "/v", stat: null, freeBytes: 1000 } }),
      "disk.storage",
      "fail",
      /0 MiB free at \/v/,
    ],
    [
      "an open state folder",
      host({
        stateFolder: { ...HOST.stateFolder, stat: { mode: 0o755, uid: 0 } },
      }),
      "state.permissions",
      "warn",
      /mode 0755/,
    ],
    [
      "another's state folder",
      host({
        stateFolder: { ...HOST.stateFolder, stat: { mode: 0o700, uid: 7 } },
      }),
      "state.permissions",
      "fail",
      /belongs to uid 7/,
    ],
    ["no CA bundle", host({ caBundle: null }), "ca.bundle", "warn", /https/],
    ["a stale socket", host({ daemon: { kind: "stale" } }), "daemon", "warn", /nobody answers/],
    [
      "a taken port",
      host({ apiPort: { port: 4711, configured: false, taken: true } }),
      "api.port",
      "warn",
      /a free one/,
    ],
    [
      "a taken configured port",
      host({ apiPort: { port: 80, configured: true, taken: true } }),
      "api.port",
      "fail",
      /another program/,
    ],
    [
      "our own port",
      host({
        apiPort: { port: 4711, configured: true, taken: true },
        daemon: { kind: "answers", build: "b", api: "http://127.0.0.1:4711" },
      }),
      "api.port",
      "ok",
      /served by laned/,
    ],
    [
      "a root-owned worktree",
      host({ worktree: { path: "/repo", uid: 0 } }),
      "worktree.owner",
      "warn",
      /run as root, without capabilities/,
    ],
  ];

  it.each(table)("judges %s", (_what, facts, id, level, detail) => {
    const check = evaluateChecks(facts).find((item) => item.id === id);
    expect(check).toMatchObject({ id, level });
    expect(check?.detail).toMatch(detail);
    expect(check?.fix === null).toBe(level === "ok");
    expect(`${check?.detail}${check?.fix}`).not.toContain("\n");
  });

  it("says nothing of rootless needs to root, nor of a worktree outside any", () => {
    const ids = evaluateChecks(host({ worktree: null })).map((check) => check.id);
    expect(ids.filter((id) => id.startsWith("rootless.") || id === "worktree.owner")).toEqual([]);
  });
});

describe("planRepairs", () => {
  it("closes an open state folder of ours and turns linger on for a user", () => {
    const open = { ...HOST.stateFolder, stat: { mode: 0o755, uid: 1000 } };
    const facts = host({
      ...user,
      stateFolder: open,
      rootless: { ...HOST.rootless, linger: false },
    }).host;
    expect(planRepairs(facts)).toEqual([
      { op: "restrict", path: "/s", mode: 0o700 },
      { op: "linger", user: "ada" },
    ]);
  });

  it("leaves another's folder and a sound machine alone", () => {
    expect(planRepairs(HOST)).toEqual([]);
    expect(
      planRepairs(
        host({
          stateFolder: { ...HOST.stateFolder, stat: { mode: 0o755, uid: 7 } },
        }).host,
      ),
    ).toEqual([]);
  });
});

describe("versions and sizes", () => {
  it("reads the first version of a text", () => {
    expect(parseVersion("git version 2.39.5 (Apple)")).toEqual([2, 39, 5]);
    expect(parseVersion("v20.19")).toEqual([20, 19, 0]);
  });

  it("compares number by number", () => {
    expect(isAtLeast("4.10.0", "4.9.9")).toBe(true);
    expect(isAtLeast("4.3.0", "4.3.0")).toBe(true);
    expect(isAtLeast("4.3.0", "4.3.1")).toBe(false);
  });

  it("words sizes", () => {
    expect([renderBytes(1.5 * GIB), renderBytes(50 * GIB), renderBytes(GIB / 4)]).toEqual([
      "1.5 GiB",
      "50 GiB",
      "256 MiB",
    ]);
  });
});
