import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DEFAULT_SETTINGS, type Lane, type SkillChoice } from "../../lane/index.ts";
import { createGuideDesk } from "./guide-desk.ts";

let dir: string;
let skills: SkillChoice | null;
let workspace: string;
let guide: (laneId: string) => Promise<string>;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lk-guide-"));
  await mkdir(join(dir, "boot", "l-1"), { recursive: true });
  [skills, workspace] = [null, "shop"];
  guide = createGuideDesk({
    configDir: join(dir, "config"),
    bootDir: join(dir, "boot"),
    skills: ["a"],
    findLane: (id) => (id === "l-1" ? laneWith(skills) : null),
    findWorkspace: (id) => ({ id, name: workspace, path: "/shop", createdAtMs: 1 }),
  });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const laneWith = (choice: SkillChoice | null): Lane => ({
  ...{ id: "l-1", name: "fix", workspaceId: "w", branch: "fix", worktree: "/w", desired: "up" },
  ...{ settings: { ...DEFAULT_SETTINGS, skills: choice }, generation: 1, createdAtMs: 1 },
});

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(dir, "config", path)), { recursive: true });
  await writeFile(join(dir, "config", path), content);
}

const seen = (path: string) => readFile(join(dir, "boot", "l-1", "guide", path), "utf8");

it("is Lanekeeper's own words where nobody wrote anything", async () => {
  skills = "all";
  expect(await guide("l-1")).toBe("/run/lane/guide");
  expect(await seen("instructions.md")).toContain("lane `fix`");
  expect([await seen("CLAUDE.md"), await seen("gemini/GEMINI.md")]).toEqual([
    await seen("instructions.md"),
    await seen("instructions.md"),
  ]);
});

it("takes the base's, the workspace's and the lane's text, and no other lane's, anew each time", async () => {
  skills = [];
  await put("instructions/base.md", "of-all");
  await put("instructions/workspaces/shop.md", "of-shop");
  await put("instructions/workspaces/shop/fix.md", "of-fix");
  await put("instructions/workspaces/shop/other.md", "of-other");
  await put("instructions/workspaces/blog.md", "of-blog");
  await guide("l-1");
  expect(await seen("instructions.md")).toMatch(/\nof-all\n\nof-shop\n\nof-fix\n$/);
  await put("instructions/base.md", "of-each");
  await guide("l-1");
  expect(await seen("instructions.md")).toContain("\nof-each\n");
  workspace = "../workspaces/shop";
  await guide("l-1");
  expect(await seen("instructions.md")).toMatch(/\nof-each\n$/);
});

it("has the skills that the lane chooses, else the installation's", async () => {
  for (const name of ["a", "b"]) await put(`skills/${name}/SKILL.md`, name);
  const given = async (choice: SkillChoice | null) => {
    skills = choice;
    await guide("l-1");
    return readdir(join(dir, "boot", "l-1", "guide", "skills"));
  };
  expect([await given(null), await given(["b"]), await given("all"), await given([])]).toEqual([
    ...[["a"], ["b"], ["a", "b"], []],
  ]);
});

it("is refused where all of it together is too long", async () => {
  skills = [];
  await put("instructions/base.md", "x".repeat(20_000));
  await put("instructions/workspaces/shop.md", "x".repeat(20_000));
  const message = expect.stringMatching(/^lane fix: .* at most 32768/);
  await expect(guide("l-1")).rejects.toMatchObject({ code: "config.invalid", message });
});
