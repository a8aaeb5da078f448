import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FlagInput, flagFiles, NESTED_MODE, needsText, SPECIAL_MODE } from "./flag-files.ts";

const file = (path: string, more: Partial<FlagInput> = {}): FlagInput => ({
  path,
  oldMode: "000000",
  newMode: "100644",
  oldText: null,
  newText: null,
  ...more,
});
const codes = (...files: readonly FlagInput[]) => flagFiles(files).map((flags) => flags.map(({ code }) => code));

describe("files that programs of the host run or obey", () => {
  it.each([
    [".vscode/tasks.json", "editor-task"],
    [".vscode/settings.json", "editor-task"],
    ["packages/a/.vscode/launch.json", "editor-task"],
    ["shop.code-workspace", "editor-task"],
    [".idea/runConfigurations/dev.xml", "editor-task"],
    [".zed/tasks.json", "editor-task"],
    [".devcontainer/devcontainer.json", "devcontainer"],
    [".devcontainer.json", "devcontainer"],
    [".envrc", "direnv"],
    ["sub/.envrc", "direnv"],
    [".claude/settings.json", "agent-hook"],
    [".claude/hooks/pre.sh", "agent-hook"],
    [".codex/config.toml", "agent-hook"],
    [".gemini/settings.json", "agent-hook"],
    [".mcp.json", "agent-hook"],
    [".claude/commands/go.md", "agent-instructions"],
    ["CLAUDE.md", "agent-instructions"],
    ["docs/AGENTS.md", "agent-instructions"],
    [".github/workflows/ci.yml", "ci"],
    [".github/actions/x/action.yml", "ci"],
    [".gitlab-ci.yml", "ci"],
    ["Jenkinsfile", "ci"],
    [".circleci/config.yml", "ci"],
    [".husky/pre-commit", "git-hook"],
    [".githooks/post-checkout", "git-hook"],
    [".pre-commit-config.yaml", "git-hook"],
    ["lefthook.yml", "git-hook"],
    [".gitmodules", "submodule"],
    [".npmrc", "package-config"],
    ["web/.yarnrc.yml", "package-config"],
    [".cargo/config.toml", "package-config"],
    ["binding.gyp", "package-script"],
    [".lanekeeper.yaml", "lane-config"],
    // Not every host tells cases apart.
    [".VSCode/Tasks.JSON", "editor-task"],
    [".GIT/config", "nested-repository"],
    ["sub/.Git/hooks/pre-commit", "nested-repository"],
  ])("%s: %s", (path, code) => {
    expect(codes(file(path))).toEqual([[code]]);
    expect(codes(file(path, { oldMode: "100644", newMode: "000000" }))).toEqual([[]]);
  });

  it.each([
    "Makefile",
    "src/index.ts",
    "package-lock.json",
    "README.md",
    ".gitignore",
    "docs/vscode/tasks.json",
    ".github/CODEOWNERS",
    "sub/.lanekeeper.yaml",
    "HEAD",
    "config",
    "envrc",
  ])("ordinary: %s", (path) => expect(codes(file(path))).toEqual([[]]));

  it("package.json only when what npm or a hook manager runs of it has changed, or cannot be told", () => {
    const change = (before: unknown, after: unknown) =>
      codes(
        file("web/package.json", {
          oldMode: before === null ? "000000" : "100644",
          oldText: before === null ? null : JSON.stringify(before),
          newText: typeof after === "string" ? after : JSON.stringify(after),
        }),
      )[0];
    expect(needsText({ path: "web/package.json", newMode: "100644" })).toBe(true);
    const scripts = { test: "vitest", build: "tsc" };
    expect(change({ scripts }, { scripts, version: "2", dependencies: { a: "1" } })).toEqual([]);
    expect(change({ scripts }, { scripts: { build: "tsc", test: "vitest" } })).toEqual([]);
    expect(change({ scripts }, {})).toEqual([]);
    expect(change({ scripts }, { scripts: { ...scripts, postinstall: "x" } })).toEqual(["package-script"]);
    expect(change(null, { scripts })).toEqual(["package-script"]);
    expect(change({}, { "lint-staged": { "*": "x" } })).toEqual(["package-script"]);
    for (const broken of ["{", "null", "[]", '"x"']) {
      const isBroken = broken === "{" || broken === "null" || broken === '"x"';
      expect(change({}, broken)).toEqual(isBroken ? ["package-script"] : []);
    }
    expect(codes(file("package.json"))[0]).toEqual(["package-script"]);
  });

  it(".gitattributes only when it newly asks for drivers, or hides files", () => {
    const change = (oldText: string | null, newText: string | null) =>
      codes(file(".gitattributes", { oldText, newText }))[0];
    for (const line of ["* filter=x", "*.c diff=x", "a merge=x", "*.js -diff", "secret binary", "[attr]b -diff"]) {
      expect(change(null, `* text=auto\n${line}\n`)).toEqual(["git-attributes"]);
      expect(change(`${line}\n`, `${line}\n*.sh eol=lf\n`)).toEqual([]);
    }
    expect(change(null, "* text=auto eol=lf\n")).toEqual([]);
    expect(change(null, null)).toEqual(["git-attributes"]);
  });

  it("links that leave the tree, and only those", () => {
    const link = (path: string, target: string | null) => codes(file(path, { newMode: "120000", newText: target }))[0];
    for (const target of ["/etc/passwd", "..", "../x", "../../x", "a/../../../x"]) {
      expect(link("sub/l", target)).toEqual(target === ".." || target === "../x" ? [] : ["link-outside"]);
    }
    expect(link("l", "..")).toEqual(["link-outside"]);
    expect(link("sub/l", "b.txt")).toEqual([]);
    expect(link("l", null)).toEqual(["link-outside"]);
  });

  it("what became executable, a submodule, a pipe, and a nested repository by its folder", () => {
    expect(codes(file("run.sh", { newMode: "100755" }))).toEqual([["executable"]]);
    expect(codes(file("run.sh", { oldMode: "100755", newMode: "100755" }))).toEqual([[]]);
    expect(codes(file("m", { newMode: "160000" }))).toEqual([["submodule"]]);
    expect(codes(file("p", { newMode: SPECIAL_MODE }))).toEqual([["special-file"]]);
    expect(codes(file("n/", { newMode: NESTED_MODE }))).toEqual([["nested-repository"]]);
  });

  it("bare repositories by what is in them, whatever the folder is called", () => {
    const bare = codes(file("a/HEAD"), file("a/config"), file("a/x"), file("b/HEAD"), file("b/readme"), file("c.txt"));
    expect(bare.map((found) => found.length)).toEqual([1, 1, 1, 0, 0, 0]);
    expect(codes(file("HEAD"), file("refs/heads/x"), file("src/a.ts"))).toEqual([
      ["nested-repository"],
      ["nested-repository"],
      [],
    ]);
  });

  it("never throws, and answers for each file", () => {
    const any = fc.record({
      path: fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("package.json", ".gitattributes", "HEAD", "a/HEAD")),
      oldMode: fc.constantFrom("000000", "100644"),
      newMode: fc.constantFrom("000000", "100644", "100755", "120000", "160000"),
      oldText: fc.option(fc.oneof(fc.string(), fc.json())),
      newText: fc.option(fc.oneof(fc.string(), fc.json())),
    });
    fc.assert(fc.property(fc.array(any, { maxLength: 8 }), (files) => flagFiles(files).length === files.length));
  });
});
