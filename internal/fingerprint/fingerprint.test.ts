import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LaneSpec } from "../lane/index.ts";
import { testContainer, testSpec } from "../reconcile/testing.ts";
import { canonicalJson, checkActual, diffSpecs, fingerprintOf } from "./index.ts";

const spec: LaneSpec = testSpec();

type Path = readonly (string | number)[];

/** Every leaf of a value by its path: what "every field" means is read off the value itself. */
function leavesOf(value: unknown, path: Path = []): { readonly path: Path; readonly leaf: unknown }[] {
  if (typeof value !== "object" || value === null) return [{ path, leaf: value }];
  const key = (name: string) => (Array.isArray(value) ? Number(name) : name);
  return Object.entries(value).flatMap(([name, member]) => leavesOf(member, [...path, key(name)]));
}

function changed(leaf: unknown): unknown {
  if (typeof leaf === "number") return leaf + 1;
  if (typeof leaf === "boolean") return !leaf;
  return leaf === null ? 1 : `${String(leaf)}X`;
}

/** The spec once per leaf, with just that one changed. */
function mutations(): { readonly path: string; readonly mutated: LaneSpec }[] {
  return leavesOf(spec).map(({ path, leaf }) => {
    const mutated = structuredClone(spec);
    let at = mutated as unknown as Record<string | number, unknown>;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
    at[path.at(-1) as string | number] = changed(leaf);
    return { path: path.join("."), mutated };
  });
}

describe("fingerprint", () => {
  it("changes with every single field, and the difference names it", () => {
    const seen = new Set([fingerprintOf(spec).whole]);
    const all = mutations();
    expect(all.length).toBeGreaterThan(60);
    expect(all.map(({ path }) => path)).toEqual(expect.arrayContaining(["agents.0.version", "agents.0.sha256"]));
    for (const { path, mutated } of all) {
      const whole = fingerprintOf(mutated).whole;
      expect(seen.has(whole), path).toBe(false);
      seen.add(whole);
      const drift = diffSpecs(spec, mutated);
      expect(drift.length, path).toBeGreaterThan(0);
      const part = path.split(".")[0] as string;
      expect(drift[0]?.part, path).toBe(part === "schema" ? "image" : part);
    }
  });

  it("changes only the digest of the part that changed", () => {
    const before = fingerprintOf(spec).parts;
    const after = fingerprintOf({ ...spec, env: { ...spec.env, EXTRA: "2" } }).parts;
    expect(Object.keys(before).filter((part) => before[part as "env"] !== after[part as "env"])).toEqual(["env"]);
  });

  it("is the same for 1000 reorderings", () => {
    const whole = fingerprintOf(spec).whole;
    const shuffled = <T>(items: readonly T[]) => fc.shuffledSubarray([...items], { minLength: items.length });
    const arbitrary = fc.record({
      mounts: shuffled(spec.mounts),
      env: shuffled(Object.entries(spec.env)).map((entries) => Object.fromEntries(entries)),
      capabilities: shuffled(spec.security.capabilities),
      binaries: shuffled(spec.worker.binaries),
      keys: shuffled(Object.keys(spec)),
    });
    fc.assert(
      fc.property(arbitrary, ({ mounts, env, capabilities, binaries, keys }) => {
        const other: LaneSpec = {
          ...spec,
          mounts,
          env,
          security: { ...spec.security, capabilities },
          worker: { ...spec.worker, binaries },
        };
        const reordered = Object.fromEntries(
          keys.map((key) => [key, other[key as keyof LaneSpec]]),
        ) as unknown as LaneSpec;
        expect(fingerprintOf(reordered).whole).toBe(whole);
        expect(diffSpecs(spec, reordered)).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  it("writes canonical JSON without undefined members and in key order", () => {
    expect(canonicalJson({ b: 1, a: [true, null, "x"], c: undefined })).toBe('{"a":[true,null,"x"],"b":1}');
    expect(() => canonicalJson(Number.NaN)).toThrow();
  });
});

describe("drift of the container itself", () => {
  const base = testSpec();
  const seen = testContainer(base);

  it("sees none in a container made from the spec, whatever the image and Podman added", () => {
    expect(checkActual(base, seen)).toEqual([]);
  });

  it.each([
    ["image", "id", { imageId: "b".repeat(64) }],
    ["worker", "entrypoint", { entrypoint: ["/bin/sh"] }],
    ["worker", "workdir", { workdir: "/" }],
    ["security", "user", { user: "0:0" }],
    ["env", "INBOX_LANE_ID", { env: { ...seen.env, INBOX_LANE_ID: "other" } }],
    ["mounts", "/workspace", { mounts: seen.mounts.filter((m) => m.target !== "/workspace") }],
    [
      "mounts",
      "/root/.claude",
      {
        mounts: [
          ...seen.mounts,
          { kind: "bind" as const, source: "/root/.claude", target: "/root/.claude", readOnly: false },
        ],
      },
    ],
    ["network", "port 31417", { ports: [{ containerPort: 31417, hostIp: "0.0.0.0", hostPort: 1 }] }],
    ["network", "name", { networks: ["podman"] }],
    ["security", "capabilities", { capabilities: ["SYS_ADMIN"] }],
    ["limits", "memoryBytes", { memoryBytes: 1 }],
    ["limits", "pids", { pids: 1 }],
  ] as const)("names %s.%s", (part, field, change) => {
    const drift = checkActual(base, testContainer(base, change));
    expect(drift.map((d) => `${d.part}.${d.field}`)).toContain(`${part}.${field}`);
  });
});
