import { describe, expect, it } from "vitest";
import type { ApiLane } from "../../internal/protocol/api.ts";
import { FULL } from "../support/full.ts";
import { gitSceneBefore } from "../support/git-scene.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"] as const;
const SECONDS = FULL ? 300 : 30;
/** A job commits for so long: the sync of one meets the commits of the next one. */
const JOB_SECONDS = 3;

/** Commits until its time is up, amends and moves to and fro; says how many commits its branch has got. */
const COMMITTER = `
  end=$(($(date +%s) + $2)); n=0
  while [ "$(date +%s)" -lt "$end" ]; do
    n=$((n + 1)); echo "$3.$n" >> "$1.txt"; git add "$1.txt"; git commit -qm "$1 $3.$n"
    if [ $((n % 5)) -eq 0 ]; then git commit -q --amend -m "$1 $3.$n"; git checkout -q -B side; git checkout -q "$1"; fi
  done
  echo "$n"`;

describe(`eight lanes of one repository that commit at once for ${SECONDS} s`, {
  timeout: SECONDS * 1000 + 180_000,
}, () => {
  let lanes: readonly ApiLane[];
  const scene = gitSceneBefore(async ({ home }) => {
    lanes = await Promise.all(NAMES.map((name) => home.json<ApiLane>(["add", name])));
  });
  const git = (...args: string[]) => scene.git(scene.repo, ...args);

  /** Jobs one after the other until the time is up; the subjects of all commits they said they made. */
  const commitFor = async (name: string, endMs: number): Promise<readonly string[]> => {
    const subjects: string[] = [];
    for (let job = 1; Date.now() < endMs; job++) {
      const made = Number(await scene.sh(name, COMMITTER, name, String(JOB_SECONDS), String(job)));
      for (let n = 1; n <= made; n++) subjects.push(`${name} ${job}.${n}`);
    }
    return subjects;
  };
  /** Meanwhile the developer commits on a branch that no lane has, and tidies up. */
  const develop = async (endMs: number): Promise<number> => {
    let made = 0;
    for (; Date.now() < endMs; made++) {
      await git("commit", "-q", "--allow-empty", "-m", `host ${made}`);
      if (made % 10 === 9) await git("gc", "-q");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return made;
  };

  it("loses no commit, moves no foreign ref, and leaves every repository whole", async () => {
    const endMs = Date.now() + SECONDS * 1000;
    const [hostMade, ...made] = await Promise.all([
      develop(endMs),
      ...NAMES.map((name) => commitFor(name, endMs)),
    ] as const);
    for (const [i, name] of NAMES.entries()) {
      const log = await git("log", "--reverse", "--format=%s", `main~${hostMade}..${name}`);
      expect(log.split("\n")).toEqual(made[i]);
      expect(await scene.sh(name, "git log --reverse --format=%s main..HEAD; git status --porcelain")).toBe(log);
      expect(await scene.sh(name, "git fsck --strict --no-dangling 2>&1")).toBe("");
      expect(await git("-C", lanes[i]?.worktree ?? "", "status", "--porcelain")).toBe("");
    }
    expect(await git("fsck", "--strict", "--no-dangling")).toBe("");
    expect((await git("log", "--format=%s", "main")).split("\n")).toHaveLength(hostMade + 1);
    expect((await git("for-each-ref", "--format=%(refname)", "refs/heads")).split("\n")).toEqual(
      [...NAMES, "main"].map((name) => `refs/heads/${name}`),
    );
    const commits = made.reduce((sum, subjects) => sum + subjects.length, 0);
    process.stdout.write(
      `[git] 8 lanes, ${SECONDS} s: ${commits} commits in lanes, ${hostMade} on the host; all there, in order; fsck clean\n`,
    );
  });
});
