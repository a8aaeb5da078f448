import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect } from "vitest";
import type { ApiFeedEntry } from "../../internal/protocol/index.ts";
import { type Installation, newInstallation } from "./installation.ts";

/** An installation with a developer, Ada, and her repository of one commit as its workspace. */
export interface GitScene {
  readonly home: Installation;
  readonly repo: string;
  /** Git as she runs it there. */
  git(where: string, ...args: readonly string[]): Promise<string>;
  /** Runs a shell script in a lane as a job, which must succeed; what it printed. */
  sh(lane: string, script: string, ...args: readonly string[]): Promise<string>;
  /** What the feed has of a type, oldest first. */
  feed(type: string): Promise<readonly ApiFeedEntry[]>;
}

/** The scene of a whole `describe`: made before its tests, gone after them. `more` is done once it stands. */
export function gitSceneBefore(more: (scene: GitScene) => Promise<void> = async () => undefined): GitScene {
  let opened: { readonly home: Installation; readonly repo: string } | null = null;
  const need = () => {
    if (opened === null) throw new Error("the scene is not open yet");
    return opened;
  };
  const scene: GitScene = {
    get home() {
      return need().home;
    },
    get repo() {
      return need().repo;
    },
    git: async (where, ...args) =>
      (await execa("git", ["-C", where, ...args], { env: { HOME: need().home.env.HOME as string } })).stdout,
    sh: async (lane, script, ...args) => {
      const ran = await need().home.lane(["run", lane, "--", "sh", "-ec", script, "sh", ...args]);
      expect(ran.code, ran.stderr).toBe(0);
      return ran.stdout.trimEnd();
    },
    feed: async (type) =>
      (await need().home.lane(["events", "--json", "--type", type])).stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as ApiFeedEntry),
  };
  let home: Installation | null = null;
  beforeAll(async () => {
    home = await newInstallation();
    opened = { home, repo: await home.repository() };
    await writeFile(join(home.env.HOME as string, ".gitconfig"), "[user]\n\tname = Ada\n\temail = ada@example.test\n");
    await home.up();
    await home.json(["workspace", "add", opened.repo]);
    await more(scene);
  });
  afterAll(() => home?.[Symbol.asyncDispose]());
  return scene;
}
