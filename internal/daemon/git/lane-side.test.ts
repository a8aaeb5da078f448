import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../base/index.ts";
import { GIT_LIMITS } from "../../protocol/index.ts";
import type { LaneGit } from "../../workerlink/index.ts";
import { laneSideOf } from "./lane-side.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lane-side-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const TIP = "a".repeat(40);
const sideOf = (change: Partial<LaneGit>, busy = false) => {
  const unused = () => Promise.reject(new Error("unused"));
  const link: LaneGit = { fetch: unused, read: unused, advance: unused, look: unused, ...change };
  const { signal } = new AbortController();
  return laneSideOf(link, { lane: "l", file: join(dir, "b"), isBusy: () => busy, signal });
};
const fetchFrom = (bytes: number, pieces: readonly string[]) => {
  const left = [...pieces];
  const read = async () => Buffer.from(left.shift() ?? "");
  return sideOf({ fetch: async () => ({ tip: TIP, bundleBytes: bytes }), read }).fetch({ branch: "x", have: [] });
};
const refusal = (code: string) =>
  sideOf({
    advance: async () => {
      throw new AppError({ code: "worker.refused", message: "no", details: { code, message: "because" } });
    },
  });
const MOVE = { branch: "x", from: TIP, to: TIP };

describe("laneSideOf", () => {
  it("puts a bundle together", async () => {
    const { bundle } = await fetchFrom(5, ["ab", "cde"]);
    expect(readFileSync(bundle ?? "", "utf8")).toBe("abcde");
  });

  it.each([
    ["more than was said", 3, ["abcd"], "worker.protocol"],
    ["less than was said", 3, ["ab"], "worker.protocol"],
    ["more than is taken", GIT_LIMITS.bundleBytes + 1, [], "git.refused"],
  ])("refuses %s", async (_, bytes, pieces, code) => {
    await expect(fetchFrom(bytes, pieces)).rejects.toMatchObject({ code });
  });

  it("does not ask again for what the lane has just said, once, and only for that question", async () => {
    const other = { tip: "b".repeat(40), bundleBytes: null };
    const link = { fetch: async () => other } as Partial<LaneGit> as LaneGit;
    const { signal } = new AbortController();
    const said = { have: TIP, tip: null, bundleBytes: null };
    const side = () => laneSideOf(link, { lane: "l", file: join(dir, "b"), isBusy: () => false, said, signal });
    for (const have of [[], [TIP, other.tip], [other.tip]]) {
      expect((await side().fetch({ branch: "x", have })).tip).toBe(other.tip);
    }
    const asked = side();
    expect((await asked.fetch({ branch: "x", have: [TIP] })).tip).toBe(null);
    expect((await asked.fetch({ branch: "x", have: [TIP] })).tip).toBe(other.tip);
  });

  it("does not move a branch under a job, and passes on why the lane holds it", async () => {
    expect(await sideOf({}, true).advance(MOVE)).toBe("a job is running in the lane");
    expect(await refusal("held").advance(MOVE)).toBe("because");
    await expect(refusal("git_failed").advance(MOVE)).rejects.toMatchObject({ code: "worker.refused" });
  });
});
