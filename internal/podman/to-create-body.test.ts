import { describe, expect, it } from "vitest";
import type { LaneSpec } from "../lane/index.ts";
import { testSpec } from "../reconcile/testing.ts";
import { toCreateBody } from "./to-create-body.ts";

const bodyOf = (spec: LaneSpec) => toCreateBody({ name: "lane-x", labels: { a: "b" }, spec });

/** Fields that the container's identity depends on but the engine is not told of, each with its reason. */
const NOT_CREATED = new Set([
  // Shapes of our own.
  "schema",
  // A property of the network, which is made before.
  "network.isolate",
  // The content behind a mounted path: only the path can be mounted.
  "worker.binaries[0].sha256",
  "worker.binaries[1].sha256",
  "worker.binaries[2].sha256",
  "agents[0].agent",
  "agents[0].version",
  "agents[0].program",
  "agents[0].sha256",
  // Whom the worker runs agents as: it is told in its bootstrap folder.
  "security.agentUid",
  "security.agentGid",
]);

/** Every leaf of a value: its path, and the value with just that leaf changed. */
function mutations(value: unknown, path = ""): { readonly path: string; readonly value: unknown }[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, i) =>
      mutations(item, `${path}[${i}]`).map((m) => ({ path: m.path, value: value.with(i, m.value) })),
    );
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) =>
      mutations(inner, path === "" ? key : `${path}.${key}`).map((m) => ({
        path: m.path,
        value: { ...value, [key]: m.value },
      })),
    );
  }
  return [{ path, value: other(value) }];
}

function other(leaf: unknown): unknown {
  switch (leaf) {
    case "bind":
      return "volume";
    case "volume":
      return "bind";
    case "host":
      return "keep-id";
    default:
      if (typeof leaf === "boolean") return !leaf;
      if (typeof leaf === "number") return leaf + 1;
      return leaf === null ? "x" : `${String(leaf)}x`;
  }
}

const full: LaneSpec = testSpec();

describe("the create body", () => {
  it.each(mutations(full))("depends on $path", ({ path, value }) => {
    const isSame = JSON.stringify(bodyOf(value as LaneSpec)) === JSON.stringify(bodyOf(full));
    expect(isSame).toBe(NOT_CREATED.has(path));
  });

  it("takes nothing from the host, and drops what was not asked for", () => {
    expect(bodyOf(full)).toMatchObject({
      env_host: false,
      httpproxy: false,
      cap_drop: ["ALL"],
      cap_add: full.security.capabilities,
      restart_policy: "no",
      image_volume_mode: "ignore",
      no_new_privileges: true,
    });
  });

  it("lets Podman draw the host's port", () => {
    expect(bodyOf(full).portmappings).toEqual([
      { container_port: 31417, host_ip: "127.0.0.1", host_port: 0, protocol: "tcp" },
    ]);
  });

  it("names limits as runc wants them, and leaves those of the engine alone", () => {
    expect(bodyOf(full).r_limits).toEqual([
      { type: "nofile", soft: 4096, hard: 4096 },
      { type: "nproc", soft: 4096, hard: 4096 },
    ]);
    const limits = { ...full.limits, memoryBytes: null, cpus: null, pids: null, nofile: null, nproc: null };
    expect(bodyOf({ ...full, limits })).toMatchObject({ resource_limits: {}, r_limits: [] });
  });

  it("mounts what is ours read-only, and relabels only when asked", () => {
    const options = (spec: LaneSpec) =>
      new Map(
        (bodyOf(spec).mounts as { destination: string; options: string[] }[]).map((m) => [m.destination, m.options]),
      );
    expect(options(full).get("/opt/agents/claude")).toEqual(["rbind", "rprivate", "ro"]);
    const mount = { kind: "bind", source: "/s", target: "/t", readOnly: false, relabel: true } as const;
    expect(options({ ...full, mounts: [mount] }).get("/t")).toEqual(["rbind", "rprivate", "rw", "z"]);
  });
});
