import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { ApiFeedEntry, ApiLane } from "../../internal/protocol/index.ts";
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
  /** From POST sync with one new commit in the lane until the host's branch and index have it. */
  readonly importMs: readonly number[];
  /** POST sync with one new commit, and with none, until its answer, for which git looks at the whole work tree. */
  readonly syncMs: readonly number[];
  readonly nothingNewMs: readonly number[];
  /** `git diff --stat` on the host; with `git ls-files --others`, which knows of new files; the daemon's answer; `lane diff --stat`. */
  readonly gitDiffMs: readonly number[];
  readonly gitBothMs: readonly number[];
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
  const [importMs, syncMs, nothingNewMs]: [number[], number[], number[]] = [[], [], []];
  const sync = () => scene.api.sync(lane.id, opts);
  for (let round = 0; round <= opts.rounds * 3; round++) {
    const commit = `echo ${round} > ${largeFile(round)} && git -c user.name=b -c user.email=b@b commit -qam ${round}`;
    // Beside the jobs, so that nothing but the measured call takes it over.
    await scene.cli.run(
      ["exec", "--workdir", "/workspace", "--user", "0", lane.containerName, "sh", "-c", commit],
      opts,
    );
    const from = Date.now();
    const took = await timed(sync);
    const imported = (await lastImport(scene)) - from;
    const nothing = await timed(sync);
    if (round === 0) continue;
    importMs.push(imported);
    syncMs.push(took);
    nothingNewMs.push(nothing);
  }
  return { importMs, syncMs, nothingNewMs };
}

/** When the feed says that the last import was over, ms since the epoch. */
async function lastImport({ home }: Scene): Promise<number> {
  const { stdout } = await home.lane(["events", "--json", "--type", "lane.imported"]);
  const { at } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as ApiFeedEntry;
  return Date.parse(at);
}

async function measureDiffs(
  scene: Scene,
  lane: ApiLane,
  opts: { readonly rounds: number; readonly signal: AbortSignal },
) {
  const [gitDiffMs, gitBothMs, apiDiffMs, laneDiffMs]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let n = 0; n < CHANGED; n++) await appendFile(join(lane.worktree, largeFile(n * 100)), "one more line\n");
  for (let round = 0; round <= opts.rounds * 3; round++) {
    const git = (...args: readonly string[]) => execa("git", ["-C", lane.worktree, ...args]);
    const plain = await timed(() => git("diff", "--stat", "main"));
    const both = await timed(async () => {
      await git("diff", "--stat", "main");
      await git("ls-files", "--others", "--exclude-standard");
    });
    const api = await timed(() => scene.api.diffStat(lane.id, opts));
    const ours = await timed(() => scene.home.lane(["diff", lane.name, "--stat"]));
    if (round === 0) continue;
    gitDiffMs.push(plain);
    gitBothMs.push(both);
    apiDiffMs.push(api);
    laneDiffMs.push(ours);
  }
  return { gitDiffMs, gitBothMs, apiDiffMs, laneDiffMs };
}
