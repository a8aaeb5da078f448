import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { renderPointer } from "../../internal/git/lfs-pointer.ts";
import type { ApiLane } from "../../internal/protocol/api.ts";
import { gitSceneBefore } from "../support/git-scene.ts";
import { eventually } from "../support/installation.ts";

/** In the lane: what stands in for the submodule's remote. */
const REMOTE = "$HOME/remote.git";

const oidOf = (content: string) => createHash("sha256").update(content).digest("hex");
const pointerOf = (content: string) => renderPointer({ oid: oidOf(content), size: content.length });

describe("a lane of a repository with a submodule, and with files of git-lfs", () => {
  let lane: ApiLane;
  let added = "";
  const scene = gitSceneBefore(async ({ home, repo, git }) => {
    const lib = join(repo, "..", "lib");
    await execa("git", ["clone", "--quiet", repo, lib]);
    // What the submodule's remote has is handed to the lane in the repository itself.
    await git(lib, "bundle", "create", "--quiet", join(repo, "lib.bundle"), "--all");
    await git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib, "lib");
    await writeFile(join(repo, ".gitattributes"), "*.big filter=lfs\n");
    await writeFile(join(repo, "asset.big"), pointerOf("large"));
    await git(repo, "add", ".");
    await git(repo, "commit", "--quiet", "-m", "with lib");
    const made = await home.lane(["add", "sub"]);
    expect(made.code, made.stderr).toBe(0);
    added = made.stdout + made.stderr;
    lane = await home.json<ApiLane>(["show", "sub"]);
  });
  const sh = (script: string) => scene.sh("sub", script);
  const onHost = (...args: string[]) => scene.git(lane.worktree, ...args);
  const allOf = async (argv: readonly string[]) => {
    const { code, stdout, stderr } = await scene.home.lane(argv);
    return { code, text: stdout + stderr };
  };

  it("says so when the lane is made; it is empty, and clean on both sides", async () => {
    expect(added).toContain("git submodule update --init");
    expect(added).toContain("git lfs pull");
    expect(await sh("git status --porcelain; git ls-files -t lib")).toBe("H lib");
    expect(await onHost("status", "--porcelain")).toBe("");
  });

  it("is worked in as anywhere: filled, committed to, and its pointer moved", async () => {
    await sh(`
      git clone -q --bare lib.bundle ${REMOTE}
      git config --global protocol.file.allow always
      git config submodule.lib.url ${REMOTE}
      git submodule --quiet update --init
      cd lib; git config user.name A; git config user.email a@example.test
      echo new > new.txt; git add .; git commit -qm 'in the submodule'
      cd ..; git add lib; git commit -qm 'newer lib'; test -z "$(git status --porcelain)"`);
    expect(await onHost("log", "-1", "--format=%s")).toBe("newer lib");
  });

  it("leaves plain git on the host whole, in the worktree and in the main one", async () => {
    for (const where of [lane.worktree, scene.repo]) {
      expect(await scene.git(where, "status", "--porcelain")).toBe("");
      expect(await scene.git(where, "diff")).toBe("");
    }
    expect(await onHost("diff", "HEAD^", "HEAD")).toContain("+Subproject commit");
    await onHost("add", "--all");
    await onHost("commit", "--quiet", "--allow-empty", "-m", "by hand");
    expect((await allOf(["sync", "sub"])).code).toBe(0);
    expect(await sh("git log -1 --format=%s; git status --porcelain")).toBe("by hand");
  });

  it("runs nothing of a git dir that the lane puts there", async () => {
    const canary = join(scene.repo, "..", "canary");
    await sh(`
      mv lib/.git kept; git init -q lib; cd lib
      git -c user.name=A -c user.email=a@b.test commit -q --allow-empty -m evil
      git config core.fsmonitor 'touch ${canary};'`);
    expect(await onHost("status", "--porcelain")).toBe("?? kept");
    await onHost("diff");
    expect(existsSync(canary)).toBe(false);
    // The same worktree without the shield: the plant is a live one.
    await onHost("update-index", "--no-skip-worktree", "lib");
    await onHost("status");
    expect(existsSync(canary)).toBe(true);
    await onHost("update-index", "--skip-worktree", "lib");
    await rm(canary);
    await sh('rm -rf lib/.git; mv kept lib/.git; test -z "$(git status --porcelain)"');
  });

  it("tells in diff, merge and rm of the commit that only the lane has", async () => {
    expect((await allOf(["diff", "sub"])).text).toContain("no copy of it on this host has that commit");
    const refused = await allOf(["merge", "sub"]);
    expect(refused.code).not.toBe(0);
    expect(refused.text).toContain("no copy of it on this host has that commit");
    expect((await allOf(["merge", "sub", "--allow-flagged"])).code).toBe(0);
    const kept = await allOf(["rm", "sub"]);
    expect(kept.code).not.toBe(0);
    expect(kept.text).toContain('1 commit that no remote of it has in submodule "lib"');
    expect((await allOf(["prune"])).text).not.toContain("removed");
  });

  it("survives a new container, and goes without force once its work is elsewhere", async () => {
    expect((await allOf(["recreate", "sub"])).code).toBe(0);
    expect(await sh("git status --porcelain; git -C lib log -1 --format=%s")).toBe("in the submodule");
    await mkdir(join(lane.worktree, "lib", "more"));
    await writeFile(join(lane.worktree, "lib", "more", "file"), "");
    expect((await allOf(["rm", "sub"])).text).toContain("1 uncommitted change or stash entry in submodule");
    await sh("rm -r lib/more; git -C lib push -q origin HEAD:refs/heads/done");
    const gone = await allOf(["rm", "sub"]);
    expect(gone.code, gone.text).toBe(0);
    expect(existsSync(lane.worktree)).toBe(false);
    // What was merged names a commit that the main checkout's submodule is not at: the truth.
    expect(await scene.git(scene.repo, "status", "--porcelain")).toBe(" M lib");
  });

  it("takes contents of git-lfs for what their pointers name, brings new ones, and names those it has not", async () => {
    const { worktree } = await scene.home.json<ApiLane>(["add", "large"]);
    // What git-lfs does in a lane, with git alone: content in the place of a pointer, and a commit of pointers.
    await scene.sh("large", "printf large > asset.big; touch -d '1 hour ago' asset.big");
    const isClean = async () => (await scene.git(worktree, "status", "--porcelain")) === "";
    await eventually(isClean, { what: "plain git takes the content for unchanged" });
    expect((await allOf(["diff", "large"])).text).toContain("no difference");
    const commit = "git add asset.big; git commit -qm";
    await scene.sh("large", `printf '%s' "$1" > asset.big; ${commit} lost`, pointerOf("never here"));
    expect((await allOf(["rm", "large"])).text).toContain("1 content of git-lfs that this host does not have");
    await scene.sh(
      "large",
      `printf '%s' "$1" > asset.big; ${commit} new; printf newer > asset.big`,
      pointerOf("newer"),
    );
    const oid = oidOf("newer");
    const kept = join(scene.repo, ".git", "lfs", "objects", oid.slice(0, 2), oid.slice(2, 4), oid);
    expect(await readFile(kept, "utf8")).toBe("newer");
    expect((await allOf(["rm", "large", "--force"])).text).toContain("1 content of git-lfs");
  });
});
