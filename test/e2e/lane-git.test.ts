import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "better-sqlite3";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiJob, ApiLane } from "../../internal/protocol/api.ts";
import { makeOtherImage } from "../support/by-hand.ts";
import { gitSceneBefore } from "../support/git-scene.ts";
import { eventually } from "../support/installation.ts";
import { inspectContainer, podman } from "../support/podman.ts";

describe("git in a lane", () => {
  let lane: ApiLane;
  const scene = gitSceneBefore(async ({ home }) => {
    lane = await home.json<ApiLane>(["add", "day"]);
  });
  const sh = (script: string) => scene.sh("day", script);
  /** Git as the developer runs it, in the lane's worktree. */
  const onHost = (...args: string[]) => scene.git(lane.worktree, ...args);
  const expectSameTruth = async () => {
    const [log, status] = (await sh("git log --format=%H:%an:%s; echo ----; git status --porcelain")).split("\n----");
    expect(await onHost("log", "--format=%H:%an:%s")).toBe(log);
    expect((await onHost("status", "--porcelain")).trimEnd()).toBe(status?.trim());
  };

  it("is clean from the first moment, on the lane's branch, with the developer's name", async () => {
    expect(await sh("git status --porcelain; git branch --show-current; git config user.email")).toBe(
      "day\nada@example.test",
    );
    expect(await sh("git rev-parse HEAD main")).toBe(await onHost("rev-parse", "HEAD", "main"));
    expect(await sh("cat .git")).toBe("gitdir: /lane/state/git");
  });

  it("shows the host what was committed as soon as the job has ended", async () => {
    await sh("echo one > one.txt; git add one.txt; git commit -qm one");
    expect(await onHost("log", "-1", "--format=%s %an")).toBe("one Ada");
    expect(await onHost("status", "--porcelain")).toBe("");
    await expectSameTruth();
  });

  it("takes a day of git: amend, branch, stash, rebase, cherry-pick, gc, pack-refs, log, blame", async () => {
    await sh(`
      git commit -q --amend -m 'one, better'
      git checkout -q -b side; echo s > side.txt; git add .; git commit -qm side
      git checkout -q day
      echo two > two.txt; git add .; git commit -qm two
      git cherry-pick side
      echo changed > hello.txt; git stash; git stash pop
      git gc -q; git pack-refs --all; git log --oneline; git blame one.txt
      git stash; git rebase -q --force-rebase main; git stash pop`);
    expect(await onHost("log", "--format=%s")).toBe("side\ntwo\none, better\nfirst");
    expect(await onHost("status", "--porcelain")).toBe(" M hello.txt");
    await sh("git checkout -q hello.txt; git fsck --strict");
    await expectSameTruth();
    expect((await execa("git", ["-C", scene.repo, "fsck", "--strict", "--no-dangling"])).stdout).toBe("");
    expect(await onHost("for-each-ref", "--format=%(refname)", "refs/heads")).toBe("refs/heads/day\nrefs/heads/main");
  });

  it("lets the lane write nothing of the repository", async () => {
    const tries = await sh(`
      deny() { if "$@" 2>/dev/null; then echo "went through: $*"; fi; }
      for path in /lane/objects /lane/objects/pack /lane/objects/info; do
        deny touch "$path/x"; deny chmod 777 "$path"; deny mv "$path" "$path.away"
      done
      for file in $(find /lane/objects -type f | head -5); do deny rm -f "$file"; deny sh -c "echo x >> $file"; done
      deny rm -f /workspace/.git; deny mv /workspace/.git /workspace/git.away; deny ln -sf /tmp /workspace/.git
      deny sh -c 'echo x > /workspace/.git'; deny chmod 777 /workspace/.git; deny mkdir /workspace/.git
      deny sh -c 'cd / && umount /workspace/.git'; deny mount -o remount,rw /lane/objects
      echo done`);
    expect(tries).toBe("done");
    expect(await sh(`ls -d '${scene.repo}' 2>/dev/null || echo hidden`)).toBe("hidden");
    const targets = (await inspectContainer(lane.containerName)).Mounts.filter(({ Source }) =>
      Source.startsWith(scene.repo),
    );
    const shown = targets.map(({ Source, Destination, RW }) => [Source, Destination, RW]);
    expect(shown.sort()).toEqual([
      [lane.worktree, "/workspace", true],
      [join(scene.repo, ".git", "objects"), "/lane/objects", false],
    ]);
  });

  it("hands commits of the host on", async () => {
    await writeFile(join(lane.worktree, "host.txt"), "host\n");
    await onHost("add", "host.txt");
    await onHost("commit", "-qm", "by the developer");
    expect(await scene.home.lane(["sync", "day"])).toMatchObject({ code: 0 });
    expect(await sh("git log -1 --format=%s; git status --porcelain")).toBe("by the developer");
    await expectSameTruth();
  });

  it("takes over what was committed without a job, by itself", async () => {
    const command = "cd /workspace && git -c user.name=x -c user.email=x@x commit -q --allow-empty -m exec";
    await podman("exec", "--user", "0", lane.containerName, "sh", "-c", command);
    await eventually(async () => (await onHost("log", "-1", "--format=%s")) === "exec", {
      what: "the commit on the host",
      withinMs: 45_000,
    });
  });

  describe("uncommitted, untracked and ignored files, staged ones, stash and branches", () => {
    const look =
      "git status --porcelain --ignored; git stash list; git branch --format='%(refname:short)'; cat kept.log";
    let before: string;
    const expectKept = async () => {
      await scene.home.json(["start", "day"]);
      expect(await sh(look)).toBe(before);
    };

    beforeAll(async () => {
      await sh(`
        echo '*.log' > .gitignore; echo kept > kept.log; echo new > new.txt; echo edited > hello.txt
        echo staged > staged.txt; git add staged.txt
        echo stashed > one.txt; git stash push -q one.txt; git branch mine`);
      before = await sh(look);
      expect(before).toContain("A  staged.txt");
    });
    afterAll(async () => {
      await sh("git reset -q; git checkout -q hello.txt; rm -f .gitignore kept.log new.txt staged.txt; git stash drop");
      await expectSameTruth();
    });

    it("outlive recreate", async () => {
      await scene.home.json(["recreate", "day"]);
      await expectKept();
    });

    it("outlive another image", async () => {
      const image = `localhost/lkt-git-${await scene.home.installId()}:other`;
      try {
        const id = await makeOtherImage(scene.home, image);
        await scene.home.json(["set", "day", `image=${image}`]);
        await eventually(async () => (await inspectContainer(lane.containerName)).Image === id, {
          what: "the new image",
        });
        await expectKept();
        await scene.home.json(["set", "day", "image="]);
        await eventually(async () => (await inspectContainer(lane.containerName)).Image !== id, {
          what: "the old image",
        });
        await expectKept();
      } finally {
        await podman("rmi", "-f", image);
      }
    });

    it("outlive a killed daemon", async () => {
      await scene.home.kill9();
      await scene.home.up();
      await expectKept();
    });

    it("are told of the last job also when its daemon died before it could look", async () => {
      const [job] = await scene.home.json<ApiJob[]>(["jobs", "day"]);
      const uncommitted = job?.git?.uncommitted;
      expect(uncommitted).toContain("new.txt");
      await scene.home.kill9();
      const database = new Database(join(scene.home.stateDir, "lanekeeper.db"));
      database.exec("DELETE FROM job_git");
      database.close();
      await scene.home.up();
      const again = async () => (await scene.home.json<ApiJob>(["job", "show", job?.id ?? ""])).git?.uncommitted;
      expect(await eventually(again, { what: "the job's work" })).toEqual(uncommitted);
    });

    it("outlive the machine's end: every process at once, and the runtime folder empty", async () => {
      const { State } = await inspectContainer(lane.containerName);
      await scene.home.kill9();
      for (const pid of [State.ConmonPid, State.Pid]) process.kill(pid, "SIGKILL");
      await rm(scene.home.env.XDG_RUNTIME_DIR as string, { recursive: true });
      await mkdir(scene.home.env.XDG_RUNTIME_DIR as string, { mode: 0o700 });
      await scene.home.up();
      await expectKept();
    });
  });

  it("records a divergence with both tips, overwrites nothing, and goes on once it is mended", async () => {
    const base = await onHost("rev-parse", "HEAD");
    const theirs = await onHost("commit-tree", `${base}^{tree}`, "-p", base, "-m", "theirs");
    await scene.home.json(["sync", "day"]);
    await execa("git", ["-C", scene.repo, "update-ref", "refs/heads/day", theirs]);
    await sh("git commit -q --allow-empty -m mine");
    const mine = await sh("git rev-parse HEAD");
    const synced = await scene.home.lane(["sync", "day"]);
    expect(synced).toMatchObject({ code: 5, stdout: expect.stringContaining("gone apart") });
    const shown = await scene.home.json<ApiLane>(["show", "day"]);
    expect(shown.git).toMatchObject({ diverged: { lane: mine, host: theirs }, unimported: 1 });
    expect(await onHost("rev-parse", "day", "refs/lanes/day/head")).toBe(`${theirs}\n${mine}`);
    const told = await scene.feed("lane.diverged");
    expect(told.map(({ lane: id, data }) => [id, data])).toEqual([
      [lane.id, { branch: "day", lane: mine, host: theirs }],
    ]);
    const refused = await scene.home.lane(["rm", "day", "--yes"]);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("1 commit that no branch has") });
    await sh(`git merge -q -m both ${theirs}`);
    expect((await scene.home.json<ApiLane>(["show", "day"])).git).toMatchObject({ diverged: null, unimported: 0 });
    await expectSameTruth();
  });

  it("works for an agent that is not root, in a work tree that was there already", async () => {
    const worktree = join(scene.repo, "..", "repo.lanes", "user");
    await execa("git", ["-C", scene.repo, "worktree", "add", "-q", "-b", "user", worktree]);
    await execa("chown", ["-R", "1000:1000", worktree]);
    await scene.home.json(["add", "user"]);
    const script =
      "id -u; git status --porcelain; echo u > u.txt; git add .; git commit -qm user; git gc -q; git fsck --no-dangling";
    const ran = await scene.home.lane(["run", "user", "--", "sh", "-ec", script]);
    expect(ran).toMatchObject({ code: 0, stdout: "1000\n" });
    const shown = await execa("git", ["-C", scene.repo, "log", "-1", "--format=%s %an", "user"]);
    expect(shown.stdout).toBe("user Ada");
    const status = await execa("git", ["-C", worktree, "status", "--porcelain"], {
      env: { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "safe.directory", GIT_CONFIG_VALUE_0: "*" },
    });
    expect(status.stdout).toBe("");
    const denied = "touch /lane/objects/x || rm -f .git || mv .git x || echo x > .git || chmod 777 .git";
    expect((await scene.home.lane(["run", "user", "--", "sh", "-c", denied])).code).not.toBe(0);
  });

  it("removes a lane with its refs, and keeps its branch", async () => {
    await scene.home.json(["add", "brief"]);
    await scene.home.json(["rm", "brief", "--yes"]);
    const refs = (await execa("git", ["-C", scene.repo, "for-each-ref", "--format=%(refname)"])).stdout.split("\n");
    expect(refs).toContain("refs/heads/brief");
    expect(refs.filter((ref) => ref.startsWith("refs/lanes/brief/"))).toEqual([]);
    expect(existsSync(join(scene.repo, "..", "repo.lanes", "brief"))).toBe(false);
  });
});
