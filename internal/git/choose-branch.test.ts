import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppError } from "../base/index.ts";
import { parseLaneName } from "../lane/index.ts";
import { addWorktree } from "./add-worktree.ts";
import { removeWorktree } from "./remove-worktree.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";

const CODES = new Set(["usage.invalid", "git.conflict", "lane.invalid_name"]);

/** Pieces of which names are made that some tool somewhere takes for something else. */
const odd = fc.constantFrom(
  ...["-", "--", "-f", "..", ".", "/", "//", "@{", "@", "@{-1}", "^", "~1", ":", "?", "*", "[", "\\", "\n", "\t", "\0"],
  ...[" ", ".lock", ".lock/", "HEAD", "refs/heads/", "main", "a", "A", "á", "а", "\u202e", "\u200b", "$(id)", "`", ";"],
  ...["x".repeat(60), "é".repeat(127), "y".repeat(255), "0".repeat(40), "'", '"', "%2e", "FETCH_HEAD", "origin/main"],
);
const name = fc.oneof(
  fc.array(odd, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join("")),
  fc.string({ maxLength: 12 }),
);

describe("names", () => {
  let t: TestRepo;
  beforeAll(() => {
    t = makeTestRepo();
    t.raw(t.path, "tag", "a");
  });
  afterAll(() => t.dispose());
  const refs = () => t.raw(t.path, "for-each-ref", "--format=%(refname) %(objectname)");
  /** Real git's word: a branch of just this name, and nothing that it expands. */
  const isBranchName = (text: string) => {
    try {
      return t.raw(t.path, "check-ref-format", "--branch", text) === text;
    } catch {
      return false;
    }
  };

  it("of branches: just that branch is made, as git would, or nothing at all", { timeout: 60_000 }, async () => {
    const path = join(t.root, "repo.lanes", "fuzz");
    const outside = readdirSync(t.root).sort();
    await fc.assert(
      fc.asyncProperty(name, async (branch) => {
        const before = refs();
        const made = await addWorktree(t.git, { repo: t, path, branch, from: null }).catch((error: unknown) => error);
        if (made instanceof Error) {
          expect(CODES.has((made as AppError).code), `${JSON.stringify(branch)}: ${made.message}`).toBe(true);
          expect([refs(), existsSync(path)]).toEqual([before, false]);
          return;
        }
        expect(isBranchName(branch), JSON.stringify(branch)).toBe(true);
        expect(t.raw(path, "symbolic-ref", "HEAD")).toBe(`refs/heads/${branch}`);
        const lines = new Set(before.split("\n"));
        const more = refs()
          .split("\n")
          .filter((line) => !lines.has(line));
        expect(more.map((line) => line.slice(0, line.lastIndexOf(" ")))).toEqual([`refs/heads/${branch}`]);
        await removeWorktree(t.git, { repo: t, path, force: false });
        t.raw(t.path, "update-ref", "-d", `refs/heads/${branch}`);
      }),
      { numRuns: process.env.FULL === "1" ? 1000 : 30 },
    );
    expect(readdirSync(t.root).sort()).toEqual([...outside, "repo.lanes"].sort());
  });

  it("of lanes: whatever is taken is one plain name, which git takes for a branch too", () => {
    fc.assert(
      fc.property(name, (text) => {
        let lane = "";
        try {
          lane = parseLaneName(text);
        } catch (error) {
          expect(CODES.has((error as AppError).code)).toBe(true);
          return;
        }
        expect(lane).toBe(text);
        expect(/^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$/.test(lane)).toBe(true);
        if (lane !== "HEAD") expect(isBranchName(lane), lane).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
