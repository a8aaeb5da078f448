import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { ApiLane } from "../../internal/protocol/index.ts";
import { type LargeRepository, largeFile, makeLargeRepository } from "../support/large-repository.ts";
import { pause, SETTLE_MS, timed } from "./measure.ts";
import type { Scene } from "./scene.ts";
import { ourCold } from "./variants.ts";

/** Lanes of a large repository, ms. */
export interface GitResult {
  readonly size: LargeRepository;
  /** `git worktree add` on the host. */
  readonly worktreeMs: readonly number[];
  /** Start of a lane of a small repository, its container absent. */
  readonly coldMs: readonly number[];
  /** `lane add`, the command, until the lane is ready. */
  readonly addMs: readonly number[];
  /** POST sync with one new commit in the lane, and with none. */
  readonly importMs: readonly number[];
  readonly nothingNewMs: readonly number[];
  /** `git diff --stat` on the host, the daemon's answer to the same, and `lane diff --stat`. */
  readonly gitDiffMs: readonly number[];
  readonly apiDiffMs: readonly number[];
  readonly laneDiffMs: readonly number[];
}

/** Files that are changed before the differences are shown. */
const CHANGED = 20;

/** Measures in turn, so that whatever else the machine does meets both sides. */
export async function measureGit(
  scene: Scene,
  opts: {
    readonly size: LargeRepository;
    readonly rounds: number;
    readonly signal: AbortSignal;
    readonly onPart: (what: string) => void;
  },
): Promise<GitResult> {
  const { size, onPart } = opts;
  const repository = join(scene.home.dir, "large");
  onPart(`making a repository of ${size.files} files and ${size.commits} commits`);
  await makeLargeRepository(repository, size);
  await scene.home.json(["workspace", "add", repository, "--name", "large"]);
  onPart("adding lanes of it");
  const added = await measureAdds(scene, repository, opts);
  const lane = await scene.home.json<ApiLane>(["add", "large-git", "--workspace", "large"]);
  onPart("taking single commits over");
  const taken = await measureImports(scene, lane, opts);
  onPart("showing differences");
  return { size, ...added, ...taken, ...(await measureDiffs(scene, lane, opts)) };
}

async function measureAdds(
  scene: Scene,
  repository: string,
  opts: { readonly rounds: number; readonly signal: AbortSignal },
) {
  const [worktreeMs, coldMs, addMs]: [number[], number[], number[]] = [[], [], []];
  const worktree = join(scene.home.dir, "plain-worktree");
  const git = (...args: readonly string[]) => execa("git", ["-C", repository, ...args], { cancelSignal: opts.signal });
  // The first round is for warming up and not kept.
  for (let round = 0; round <= opts.rounds; round++) {
    const plain = await timed(() => git("worktree", "add", "--quiet", "-b", "plain", worktree));
    await git("worktree", "remove", "--force", worktree);
    await git("branch", "--quiet", "-D", "plain");
    await pause(SETTLE_MS, opts.signal);
    coldMs.push(await ourCold(scene, () => undefined, opts));
    await pause(SETTLE_MS, opts.signal);
    const ours = await timed(() => scene.home.json(["add", "large-add", "--workspace", "large"]));
    await scene.home.json(["rm", "large-add", "--force", "--yes"]);
    await git("branch", "--quiet", "-D", "large-add");
    if (round === 0) continue;
    worktreeMs.push(plain);
    addMs.push(ours);
  }
  return { worktreeMs, coldMs, addMs };
}

async function measureImports(
  scene: Scene,
  lane: ApiLane,
  opts: { readonly rounds: number; readonly signal: AbortSignal },
) {
  const [importMs, nothingNewMs]: [number[], number[]] = [[], []];
  const sync = () => scene.api.sync(lane.id, opts);
  for (let round = 0; round <= opts.rounds * 3; round++) {
    const commit = `echo ${round} > ${largeFile(round)} && git -c user.name=b -c user.email=b@b commit -qam ${round}`;
    // Beside the jobs, so that nothing but the measured call takes it over.
    await scene.cli.run(
      ["exec", "--workdir", "/workspace", "--user", "0", lane.containerName, "sh", "-c", commit],
      opts,
    );
    const took = await timed(sync);
    const nothing = await timed(sync);
    if (round === 0) continue;
    importMs.push(took);
    nothingNewMs.push(nothing);
  }
  return { importMs, nothingNewMs };
}

async function measureDiffs(
  scene: Scene,
  lane: ApiLane,
  opts: { readonly rounds: number; readonly signal: AbortSignal },
) {
  const [gitDiffMs, apiDiffMs, laneDiffMs]: [number[], number[], number[]] = [[], [], []];
  for (let n = 0; n < CHANGED; n++) await appendFile(join(lane.worktree, largeFile(n * 100)), "one more line\n");
  for (let round = 0; round <= opts.rounds * 3; round++) {
    const plain = await timed(() => execa("git", ["-C", lane.worktree, "diff", "--stat", "main"]));
    const api = await timed(() => scene.api.diffStat(lane.id, opts));
    const ours = await timed(() => scene.home.lane(["diff", lane.name, "--stat"]));
    if (round === 0) continue;
    gitDiffMs.push(plain);
    apiDiffMs.push(api);
    laneDiffMs.push(ours);
  }
  return { gitDiffMs, apiDiffMs, laneDiffMs };
}
