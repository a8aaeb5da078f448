import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { NO_REPOSITORY_CONFIG } from "../lane/index.ts";
import { parseRepositoryFile, REPOSITORY_FILE_MAX_BYTES } from "./repository-file.ts";

function refusal(text: string): string {
  try {
    parseRepositoryFile(text);
  } catch (error) {
    if (error instanceof AppError && error.code === "config.invalid") return error.message;
    throw error;
  }
  return "taken";
}

describe("parseRepositoryFile", () => {
  it("reads every key", () => {
    const text = `
image: registry.example/tools:1
agent: codex
skills: [review, tests]
limits: { memory: 2g, cpus: 1.5, pids: 512 }
ports: [8080, 3000, 3000]
env: { NODE_ENV: test }
packages: { npm: [typescript@5.9.2], apt: [ripgrep, git-lfs, ripgrep] }
setup:
  - npm ci
  - [make, "two words"]
teardown: [make clean]
`;
    expect(parseRepositoryFile(text)).toEqual({
      image: "registry.example/tools:1",
      agent: "codex",
      skills: ["review", "tests"],
      ...{ memoryBytes: 2 ** 31, cpus: 1.5, pids: 512 },
      ports: [3000, 8080],
      env: { NODE_ENV: "test" },
      packages: { apt: ["git-lfs", "ripgrep"], npm: ["typescript@5.9.2"] },
      setup: ["npm ci", ["make", "two words"]],
      teardown: ["make clean"],
    });
  });

  it.each(["", "# nothing\n", "---\n"])("takes %j as saying nothing", (text) => {
    expect(parseRepositoryFile(text)).toEqual(NO_REPOSITORY_CONFIG);
  });

  it.each([
    ["image: a\nimgae: b\n", ':2: unknown key "imgae"'],
    ["limits:\n  memroy: 1g\n", ':2: unknown key "limits.memroy"'],
    ["agent: bard\n", ":1: agent: expected one of"],
    ["\n\nlimits: {memory: lots}\n", ":3: limits.memory: expected a size"],
    ["ports: [31417]\n", ":1: ports, 0: is a port of the worker"],
    ["ports: [0]\n", ":1: ports, 0: expected a whole number"],
    ["packages: [gcc]\n", ":1: packages: expected apt and npm"],
    ["packages: {pip: [x]}\n", ":1: packages: the keys are apt and npm"],
    ["packages: {apt: gcc}\n", ":1: packages, apt: expected a list of packages of apt"],
    ["packages: {apt: [tree, --foo]}\n", ":1: packages, apt.1: is no name of a package of apt"],
    ["packages: {apt: ['a;b']}\n", ":1: packages, apt.0: is no name of a package of apt"],
    ["packages: {npm: ['git+ssh://h/r']}\n", ":1: packages, npm.0: is no name of a package of npm"],
    ["packages: {npm: ['file:..']}\n", ":1: packages, npm.0: is no name of a package of npm"],
    [`packages: {apt: [${"tree, ".repeat(65)}]}\n`, ":1: packages, apt: at most 64 packages"],
    ["mounts: [/]\n", ':1: unknown key "mounts"'],
    ["network: host\n", ':1: unknown key "network"'],
    ["privileged: true\n", ':1: unknown key "privileged"'],
    ["env: {LD_PRELOAD: /workspace/x.so}\n", ":1: env: LD_PRELOAD cannot be set"],
    ["env: {NODE_OPTIONS: --require=/workspace/x}\n", ":1: env: NODE_OPTIONS cannot be set"],
    ["env: {PATH: /workspace}\n", ":1: env: PATH cannot be set"],
    ["image: '--privileged'\n", ":1: image: expected an image's name"],
    ["image: a\nimage: b\n", 'has the key "image" twice'],
    ["__proto__: {image: a}\n", ':1: unknown key "__proto__"'],
    ["- image\n", "must be a mapping"],
  ])("refuses %j with line and key", (text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it.each([
    ["an alias bomb", "a: &a [x, x]\nb: &b [*a, *a]\nimage: *b\n", "anchor or an alias"],
    ["an anchor", "image: &x a\n", "anchor or an alias"],
    ["a tag of its own", "image: !!js/function 'x'\n", "not valid YAML: Unresolved tag"],
    ["a known tag", "image: !!str a\n", "uses the tag"],
    ["a merge", "<<: {image: a}\n", 'unknown key "<<"'],
    ["two documents", "image: a\n---\nimage: b\n", "multiple documents"],
    ["a long file", `# ${"x".repeat(70_000)}`, "is 70002 bytes long"],
    ["a NUL", "image: a\0b\n", "not a text in UTF-8"],
    // Any of these four ends the process without the bound: V8 gives up on a regular expression near the stack's end.
    ["60 000 flow lists", `setup: ${"[".repeat(60_000)}`, "nested too deeply"],
    ["30 000 lists in a line", `setup:\n  ${"- ".repeat(30_000)}`, "nested too deeply"],
    ["30 000 keys of keys", "? ".repeat(30_000), "nested too deeply"],
    ["16 000 flow maps", "{a: ".repeat(16_000), "nested too deeply"],
    ["stairs", Array.from({ length: 300 }, (_, at) => `${" ".repeat(at)}a:`).join("\n"), "nested too deeply"],
  ])("survives %s", (_, text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it.each([
    ["quotes", "a: ", '"'],
    ["a list over lines without commas", "setup: [\n", "a\n"],
    ["what begins with a reserved sign", "", "- `\n"],
    ["brackets out of place", "", "}\n"],
    ["commas", "setup: [", ","],
    ["pairs", "setup: [", "a:,"],
    ["tags", "setup: ", "! "],
    ["lines of one value", "setup: ", "a\n"],
    ["directives", "", "%A\n"],
    ["keys alone", "", "? a\n"],
    ["as many parts as are taken", "setup: [", `a,${" ".repeat(40)}`],
  ])("has soon seen enough of a whole file of %s", (_, head, unit) => {
    const text = head + unit.repeat(Math.floor((REPOSITORY_FILE_MAX_BYTES - head.length) / unit.length));
    const took = [1, 2, 3].map(() => {
      const from = performance.now();
      expect(refusal(text)).not.toBe("taken");
      return performance.now() - from;
    });
    expect(Math.min(...took)).toBeLessThan(100);
  });

  it("says where a file of too many parts has gone on for too long", () => {
    expect(refusal(`setup:\n${"- a\n".repeat(2000)}`)).toMatch(/yaml:\d{3}: has more than 2000 parts up to here/);
    const env = Array.from({ length: 60 }, (_, n) => `  V${n}: ${"x ".repeat(400)}\n`).join("");
    expect(refusal(`setup: [npm ci]\nenv:\n${env}# ${"a comment ".repeat(500)}\n`)).not.toContain("parts");
  });

  it("survives the deepest it takes", () => {
    const stairs = Array.from({ length: 100 }, (_, at) => `${" ".repeat(at)}a:`).join("\n");
    const deepest = `${stairs}\n${" ".repeat(100)}${"- ".repeat(16)}${"[".repeat(128)}${"]".repeat(128)}`;
    expect(refusal(deepest)).toContain('unknown key "a"');
  });

  it("refuses commands that no command line could hold", () => {
    const commands = Array.from({ length: 32 }, () => `  - "${"'".repeat(1900)}"`).join("\n");
    expect(refusal(`setup:\n${commands}\n`)).toContain(":1: setup is too long");
  });
});
