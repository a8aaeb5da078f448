import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { addWorktree } from "./add-worktree.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { hasOwnConfig, laneConfig, seedOfLane } from "./lane-seed.ts";
import { type LaneSide, type SyncOutcome, syncLane } from "./sync-lane.ts";
import type { TestRepo } from "./testing.ts";

/** Of a test repository, what a lane of it is made from. */
export type LaneRepo = Pick<TestRepo, "root" | "path" | "gitDir" | "git" | "raw">;

/** A lane of a test repository as the container would have it: its work tree, and a private git dir outside. */
export interface TestLane {
  readonly name: string;
  readonly worktree: string;
  /** The private git dir: all of it is the agent's. */
  readonly private: string;
  /** Git as the agent runs it. */
  readonly inside: (...args: string[]) => string;
  readonly side: LaneSide;
  /** @param git in the host's place of it; `agreed` as the daemon says it */
  readonly sync: (git?: HardenedGit, agreed?: string) => Promise<SyncOutcome>;
}

/** Makes a lane on a branch of its name, without a container. */
export async function makeTestLane(t: LaneRepo, name = "lane1"): Promise<TestLane> {
  const { path: worktree } = await addWorktree(t.git, {
    repo: t,
    path: join(t.root, "repo.lanes", name),
    branch: name,
    from: "HEAD",
  });
  const home = join(t.root, `private-${name}`);
  const own = await hasOwnConfig({ repo: t, worktree });
  const config = await laneConfig(t.git, { repo: t, ...(own ? { worktree } : {}) });
  const objectsInLane = join(t.gitDir, "objects");
  const { files, tip } = await seedOfLane({ repo: t, lane: name, branch: name, worktree, objectsInLane, config });
  for (const { path, content, mtimeMs } of files) {
    const file = join(home, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    if (mtimeMs !== undefined) utimesSync(file, mtimeMs / 1000, mtimeMs / 1000);
  }
  mkdirSync(join(home, "refs", "heads"), { recursive: true });
  renameSync(join(home, "HEAD.seed"), join(home, "HEAD"));
  const inside = (...args: string[]) => t.raw(worktree, `--git-dir=${home}`, `--work-tree=${worktree}`, ...args);
  const side: LaneSide = {
    fetch: async ({ branch, have }) => {
      const tip = inside("for-each-ref", "--format=%(objectname)", `refs/heads/${branch}`) || null;
      const not = have.map((oid) => `^${oid}`);
      if (tip === null || inside("rev-list", "--count", tip, ...not) === "0") return { tip, bundle: null };
      const bundle = join(t.root, `${name}.bundle`);
      inside("bundle", "create", "--quiet", bundle, `refs/heads/${branch}`, ...not);
      return { tip, bundle };
    },
    advance: async ({ branch, from, to }) => {
      if (inside("diff", "--cached", "--name-only", from) !== "") return "something is staged";
      inside("update-ref", `refs/heads/${branch}`, to, from);
      inside("reset", "--quiet", "--mixed");
      return null;
    },
  };
  const wanted = { gitDir: t.gitDir, lane: name, branch: name, worktree, maxBytes: 1024 * 1024, seedTip: tip };
  return {
    name,
    worktree,
    private: home,
    inside,
    side,
    sync: (git = t.git, agreed) => syncLane(git, { ...wanted, agreed: agreed ?? null }, side),
  };
}
