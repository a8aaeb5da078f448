import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { hostFrameSchema, LINK_FRAME_MAX_BYTES } from "../protocol/index.ts";
import { checkManifest, toCredentialFiles, toCredentialSet } from "./credential-set.ts";

const set = toCredentialSet([
  { path: "b/token", content: Buffer.from("secret b") },
  { path: "a", content: Buffer.from("secret a") },
]);
const lane = { id: "demo-1", agentUid: 1000 };
const proofOf = (path: string, content: string) => ({
  path,
  sha256: createHash("sha256").update(content).digest("hex"),
  mode: 0o600,
  uid: 1000,
});
const good = [proofOf("b/token", "secret b"), proofOf("a", "secret a")];

describe("checkManifest", () => {
  it("takes just what was sent, in any order", () => {
    expect(() => checkManifest(set, good, lane)).not.toThrow();
  });

  it.each([
    ["a file that is missing", good.slice(0, 1), "a is not there"],
    ["a file too many", [...good, proofOf("c", "x")], "3 files were measured where 2"],
    ["a file twice", [...good, proofOf("a", "secret a")], "3 files were measured where 2"],
    ["another content", [good[0], proofOf("a", "other")], "a has another content"],
    ["another mode", [good[0], { ...good[1], mode: 0o644 }], "a has mode 644, not 600"],
    ["another owner", [good[0], { ...good[1], uid: 0 }], "a belongs to uid 0, not to the agent (1000)"],
  ])("refuses %s", (_, manifest, message) => {
    const check = () => checkManifest(set, manifest as typeof good, lane);
    expect(check).toThrow(message);
    expect(check).not.toThrow(/secret/);
  });
});

describe("the frame of a delivery", () => {
  it("holds the largest set there may be", () => {
    const files = Array.from({ length: 64 }, (_, i) => ({
      path: `${"ä".repeat(100)}/${"ö".repeat(100)}/${'"'.repeat(90)}${i}`,
      content: Buffer.alloc(8192, i),
    }));
    const frame = { t: "credentials", id: 1, files: toCredentialFiles(toCredentialSet(files)) };
    const largest = {
      t: "credentials",
      id: 1,
      files: [{ path: "a", base64: Buffer.alloc(262_144).toString("base64") }],
    };
    for (const one of [frame, largest]) {
      expect(Buffer.byteLength(JSON.stringify(one))).toBeLessThan(LINK_FRAME_MAX_BYTES);
      expect(hostFrameSchema.parse(one)).toEqual(one);
    }
  });

  it.each([
    "/etc/passwd",
    "../x",
    "a/../b",
    "a//b",
    "a/",
    ".",
    "",
    "a/./b",
    "a\0b",
    "a\nb",
    "x".repeat(201),
    `${"a/".repeat(256)}a`,
    "\ud800",
  ])("takes no path that is none below the agent's home: %j", (path) => {
    const frame = { t: "credentials", id: 1, files: [{ path, base64: "eA==" }] };
    expect(hostFrameSchema.safeParse(frame).success).toBe(false);
  });

  it.each(["a", ".a", "..a", "a..", "a/b/c", "x".repeat(200), "ü ü"])("takes a plain one: %j", (path) => {
    const frame = { t: "credentials", id: 1, files: [{ path, base64: "eA==" }] };
    expect(hostFrameSchema.safeParse(frame).success).toBe(true);
  });
});
