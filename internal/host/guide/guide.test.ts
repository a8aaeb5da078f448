import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DEFAULT_SETTINGS, type Lane } from "../../lane/index.ts";
import { placeGuide } from "./place-guide.ts";
import { INSTRUCTIONS_MAX_BYTES, readFragment } from "./read-fragment.ts";
import { readSkills, SKILL_LIMITS } from "./read-skills.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lk-guide-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function put(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), content);
  await chmod(join(dir, path), mode);
}

describe("a part of the instructions", () => {
  const read = (name: string) => readFragment(join(dir, name));

  it("is a file's text, or none", async () => {
    await put("a.md", "# Ä\n");
    expect([await read("a.md"), await read("b.md"), await read("a.md/c.md")]).toEqual(["# Ä\n", null, null]);
  });

  it("that is too long, no text or no file is refused by name", async () => {
    await put("long.md", "x".repeat(INSTRUCTIONS_MAX_BYTES + 1));
    await put("bytes.md", Buffer.from([0x61, 0xff, 0xfe]));
    await mkdir(join(dir, "folder.md"));
    for (const name of ["long.md", "bytes.md", "folder.md"]) {
      const message = expect.stringContaining(join(dir, name));
      await expect(read(name)).rejects.toMatchObject({ code: "config.invalid", message, hint: expect.any(String) });
    }
  });
});

describe("skills", () => {
  const names = async (choice: "all" | readonly string[]) =>
    (await readSkills(join(dir, "s"), choice)).map(({ path, executable }) => `${path}${executable ? "*" : ""}`);

  beforeEach(async () => {
    await put("s/a/SKILL.md", "a");
    await put("s/a/scripts/run", "#!/bin/sh", 0o755);
    await put("s/a/.git/config", "hidden");
    await put("elsewhere/SKILL.md", "b");
    await symlink("../elsewhere", join(dir, "s", "b"));
    await put("s/README.md", "no skill");
    await put("s/draft/notes.md", "none yet");
  });

  it("are the folders with a SKILL.md, all or some of them, also through links", async () => {
    expect(await names("all")).toEqual(["skills/a/SKILL.md", "skills/a/scripts/run*", "skills/b/SKILL.md"]);
    expect(await names(["b"])).toEqual(["skills/b/SKILL.md"]);
    expect(await names([])).toEqual([]);
    expect(await readSkills(join(dir, "nowhere"), "all")).toEqual([]);
  });

  it("of which there is a new one are picked up", async () => {
    await put("s/c/SKILL.md", "c");
    expect(await names("all")).toContain("skills/c/SKILL.md");
  });

  it("that are not there are named", async () => {
    const message = expect.stringContaining("no skill draft");
    await expect(names(["a", "draft"])).rejects.toMatchObject({ code: "config.invalid", message });
  });

  it("that are too much or broken are refused", async () => {
    await put("s/a/big", Buffer.alloc(SKILL_LIMITS.bytes));
    await expect(names("all")).rejects.toMatchObject({ message: expect.stringContaining("bytes") });
    expect(await names(["b"])).toHaveLength(1);
    await symlink(".", join(dir, "elsewhere", "loop"));
    await expect(names(["b"])).rejects.toMatchObject({ message: expect.stringContaining("deep") });
    await rm(join(dir, "elsewhere", "loop"));
    await symlink("nothing", join(dir, "elsewhere", "dangling"));
    await expect(names(["b"])).rejects.toMatchObject({ code: "config.invalid", hint: expect.any(String) });
  });
});

describe("a guide", () => {
  const lane: Lane = {
    ...{ id: "l-1", name: "l", workspaceId: "w", branch: "l", worktree: "/w", desired: "up" },
    ...{ settings: DEFAULT_SETTINGS, generation: 1, createdAtMs: 1 },
  };
  const entries = [
    { path: "TOLD.md", link: "instructions.md" },
    { path: "deep/skills", link: "../skills" },
    { path: "deep/me.json", text: "{}" },
  ];
  const place = async (instructions: string, skills = true, content = "x") =>
    placeGuide(lane, dir, {
      instructions,
      entries,
      skills: skills ? [{ path: "skills/a/run", content: Buffer.from(content), executable: true }] : [],
    });
  const text = (path: string) => readFile(join(dir, "guide", path), "utf8");
  const trees = async () => (await readdir(dir)).filter((name) => name.startsWith("guide")).length - 1;

  it("has instructions, skills and what agents look for, none of it to be written", async () => {
    await place("one");
    expect([await text("instructions.md"), await text("TOLD.md"), await text("deep/skills/a/run")]).toEqual([
      ...["one", "one", "x"],
    ]);
    const mode = async (path: string) => ((await stat(join(dir, "guide", path))).mode & 0o777).toString(8);
    expect([await mode("instructions.md"), await mode("skills/a/run"), await mode("deep/me.json")]).toEqual([
      ...["444", "555", "444"],
    ]);
    expect([await mode(""), await mode("skills/a"), await mode("deep")]).toEqual(["755", "755", "755"]);
  });

  it("that is in force is not written again", async () => {
    await place("one");
    const before = await stat(join(dir, "guide", "instructions.md"));
    await place("one");
    expect((await stat(join(dir, "guide", "instructions.md"))).ino).toBe(before.ino);
  });

  it("changes with what is in a skill, and nothing else", async () => {
    await place("one");
    await place("one", true, "y");
    expect(await text("deep/skills/a/run")).toBe("y");
  });

  it("changes as a whole; the one before stays, older ones go", async () => {
    await place("one");
    const first = await readlink(join(dir, "guide"));
    await place("two", false);
    expect([await text("instructions.md"), await readdir(join(dir, "guide", "skills"))]).toEqual(["two", []]);
    expect(await readFile(join(dir, first, "instructions.md"), "utf8")).toBe("one");
    await place("one");
    expect([await text("instructions.md"), await trees()]).toEqual(["one", 2]);
    await place("three");
    expect([await text("instructions.md"), await trees()]).toEqual(["three", 2]);
  });

  it("has what a death left of another removed", async () => {
    await put("guide.new/instructions.md", "half");
    await place("one");
    expect(await trees()).toBe(1);
  });

  it("is not put where no container would see it", async () => {
    await rm(dir, { recursive: true });
    await expect(place("one")).rejects.toMatchObject({
      code: "lane.not_ready",
      hint: expect.stringContaining("lane recreate"),
    });
  });
});
