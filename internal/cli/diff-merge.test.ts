import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApiDiffFile, ApiLaneDiff, ApiLaneMerge } from "../protocol/index.ts";
import { describeRequest, problem, runLane, type ScriptedDaemon, sampleLane, startScriptedDaemon } from "./testing.ts";

const file = (change: Partial<ApiDiffFile> = {}): ApiDiffFile => ({
  path: "a.txt",
  oldPath: null,
  status: "modified",
  additions: 2,
  deletions: 1,
  binary: false,
  uncommitted: false,
  flags: [],
  ...change,
});
const PATCH =
  "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n-one\n+two\u001b]0;owned\u0007\n+three\tx\n";
const found = (change: Partial<ApiLaneDiff> = {}): ApiLaneDiff => ({
  lane: "fix-1",
  base: { ref: "main", commit: "a".repeat(40) },
  head: "b".repeat(40),
  files: [file()],
  additions: 2,
  deletions: 1,
  patch: PATCH,
  truncated: false,
  ...change,
});
const merged = (change: Partial<ApiLaneMerge> = {}): ApiLaneMerge => ({
  lane: "fix-1",
  into: "main",
  strategy: "ff",
  before: "a".repeat(40),
  after: "b".repeat(40),
  commits: 3,
  flagged: [],
  uncommitted: [],
  dryRun: false,
  ...change,
});
const TASKS = { code: "editor-task", message: "VS Code obeys it" };

let daemon: ScriptedDaemon;
let diff: ApiLaneDiff;
beforeEach(async () => {
  diff = found();
  daemon = await startScriptedDaemon({
    "GET /v1/lanes/fix/diff": () => ({ body: diff }),
    "POST /v1/lanes/fix/merge": () => ({ body: merged() }),
  });
});
afterEach(() => daemon[Symbol.asyncDispose]());

const run = (words: string, more: Partial<Parameters<typeof runLane>[1]> = {}) =>
  runLane(words.split(" "), { socket: daemon.socket, ...more });
const asked = () => daemon.requests.filter(({ path }) => path.startsWith("/v1/lanes")).map(describeRequest);

describe("lane diff", () => {
  it("gives a pipe the patch byte for byte, and remarks to stderr", async () => {
    diff = found({ files: [file({ flags: [TASKS] })], truncated: true, stale: "not in reach" });
    const ran = await run("diff fix");
    expect(asked()).toEqual(["GET /v1/lanes/fix/diff?binary=1"]);
    expect(ran.stdout).toBe(PATCH);
    expect(ran.stderr).toContain("! a.txt: VS Code obeys it\n");
    expect(ran.stderr).toContain("not in reach");
    expect(ran.stderr).toContain("cut off");
  });

  it("colours it for a terminal, which gets nothing to obey, and puts flags first", async () => {
    diff = found({ files: [file({ path: "a\u001b[2J.txt", flags: [TASKS] })] });
    const { stdout } = await run("diff fix --color always", { columns: 80 });
    expect(stdout.split("\n")[0]).toBe("\u001b[33m!\u001b[39m a\\x1b[2J.txt: VS Code obeys it");
    expect(stdout).toContain("\u001b[32m+two\\x1b]0;owned\\x07\u001b[39m\n\u001b[32m+three\tx\u001b[39m\n");
    expect(stdout).not.toContain("\u001b]0");
    expect((await run("diff fix --no-color", { columns: 80 })).stdout).not.toContain("\u001b");
  });

  it("lists files with their numbers of lines, like git", async () => {
    diff = found({
      patch: null,
      files: [
        file({ path: "src/long.ts", additions: 60, deletions: 20, uncommitted: true }),
        file({ path: "b.png", additions: null, deletions: null, binary: true }),
        file({ path: "new", oldPath: "old", status: "renamed", additions: 0, deletions: 0 }),
      ],
      additions: 60,
      deletions: 20,
    });
    const { stdout } = await run("diff fix --stat --base v1");
    expect(asked()).toEqual(["GET /v1/lanes/fix/diff?stat=1&base=v1"]);
    expect(stdout).toBe(
      [
        ` src/long.ts |  80 ${"+".repeat(30)}${"-".repeat(10)}  uncommitted`,
        " b.png       |   - binary or too large",
        " old => new  |   0",
        " 3 files changed, 60 insertions(+), 20 deletions(-)\n",
      ].join("\n"),
    );
  });

  it("asks for each path, and joins the answers", async () => {
    const ran = await run("diff fix ./a.txt --json -- --odd");
    expect(asked()).toEqual(["GET /v1/lanes/fix/diff?path=a.txt", "GET /v1/lanes/fix/diff?path=--odd"]);
    expect(JSON.parse(ran.stdout)).toMatchObject({ additions: 4, patch: PATCH + PATCH });
  });

  it("takes words behind -- for paths: the lane is the one of the current folder then", async () => {
    daemon.route("GET /v1/lanes", () => ({ body: [sampleLane()] }));
    daemon.route("GET /v1/lanes/fix-0123456789/diff", () => ({ body: diff }));
    await run("diff -- b.txt", { cwd: "/src/shop.lanes/fix/sub" });
    expect(asked().at(-1)).toBe("GET /v1/lanes/fix-0123456789/diff?binary=1&path=b.txt");
  });

  it("says that there is nothing", async () => {
    diff = found({ files: [], patch: "", additions: 0, deletions: 0 });
    expect(await run("diff fix")).toMatchObject({ code: 0, stdout: "", stderr: "no difference to main\n" });
  });
});

describe("lane merge", () => {
  it.each([
    ["merge fix", "{}"],
    ["merge fix --squash -m msg --into release", '{"into":"release","strategy":"squash","message":"msg"}'],
    ["merge fix --ff --dry-run", '{"strategy":"ff","dryRun":true}'],
    ["merge fix --merge --allow-flagged", '{"strategy":"merge","allowFlagged":true}'],
  ])("lane %s", async (words, body) => {
    expect((await run(words)).code).toBe(0);
    expect(asked()).toEqual([`POST /v1/lanes/fix/merge ${body}`]);
  });

  it("says what was done, and what was left out", async () => {
    daemon.route("POST /v1/lanes/fix/merge", () => ({ body: merged({ uncommitted: ["x.txt"] }) }));
    expect(await run("merge fix")).toMatchObject({
      stdout: "lane fix is merged into main: fast-forward, 3 commits; main is at bbbbbbbbbb\n",
      stderr: "not committed in the lane, and so not merged: x.txt\n",
    });
    daemon.route("POST /v1/lanes/fix/merge", () => ({ body: merged({ strategy: "none", commits: 0 }) }));
    expect((await run("merge fix")).stdout).toBe("main has all commits of lane fix already\n");
    expect(await run("merge fix --ff --squash")).toMatchObject({ code: 2 });
  });

  it("names flagged files; a person at a terminal is asked, nobody else is", async () => {
    const details = { flagged: [".envrc: a shell runs it"] };
    daemon.route("POST /v1/lanes/fix/merge", ({ body }) =>
      (body as { allowFlagged?: boolean }).allowFlagged ? { body: merged() } : problem("git.flagged", 409, { details }),
    );
    const refused = await run("merge fix");
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("flagged:\n  .envrc: a shell runs it") });
    expect(asked()).toHaveLength(1);
    expect(await run("merge fix --json", { types: "y" })).toMatchObject({ code: 5 });
    expect(await run("merge fix", { types: "n" })).toMatchObject({ code: 1, stdout: "" });
    const allowed = await run("merge fix", { types: "y" });
    expect(allowed).toMatchObject({ code: 0, stderr: expect.stringContaining("! .envrc: a shell runs it") });
  });
});
