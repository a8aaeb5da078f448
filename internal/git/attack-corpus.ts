import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/**
 * What an agent could plant, as data: the 14 cases of the guarantees page section 6, one more of a
 * submodule, and what it could do with nothing
 * but files and names (its threats T3, T4, T15 and T27). For tests only. Each case writes below what its layout lets the
 * lane write, and nothing else.
 */

/** What a lane can write. */
export interface Reach {
  readonly worktree: string;
  /** The git dir that the worktree's `.git` names. */
  readonly gitDir: string;
  /** Where configuration, hooks and refs of that git dir are. */
  readonly common: string;
  /** Runs git as the agent. */
  readonly agent: (cwd: string, ...args: string[]) => unknown;
}

/** Things outside of everything a lane can write. */
export interface Outside {
  /** A program that leaves its name in the canary when somebody runs it. */
  readonly trap: (name: string) => string;
  /** A foreign file; nobody may write it. */
  readonly victim: string;
  /** What the traps have written, and whether the victim has changed. */
  readonly harm: () => readonly string[];
}

/** Makes traps and victim below `root`. */
export function makeOutside(root: string): Outside {
  const canary = join(root, "canary");
  const victim = join(root, "victim");
  writeFileSync(victim, "untouched\n");
  mkdirSync(join(root, "traps"));
  return {
    victim,
    trap: (name) => {
      const path = join(root, "traps", name);
      writeFileSync(path, `#!/bin/sh\necho ${name} >> ${canary}\ncat 2>/dev/null\n`);
      chmodSync(path, 0o755);
      return path;
    },
    harm: () => [
      ...(existsSync(canary) ? [...new Set(readFileSync(canary, "utf8").trim().split("\n"))].sort() : []),
      ...(readFileSync(victim, "utf8") === "untouched\n" ? [] : ["victim written"]),
    ],
  };
}

/** One case: its number, what it is called, and how it is planted. */
export interface Plant {
  readonly name: string;
  readonly plant: (reach: Reach, outside: Outside) => void;
  /** Does no harm either to a developer who types plain git in the lane's work tree once the commits have come over. */
  readonly typed?: true;
}

const HOOKS = ["pre-commit", "post-commit", "reference-transaction", "post-index-change", "post-checkout"];

/** All cases. */
export const ATTACK_CORPUS: readonly Plant[] = [
  {
    name: "1 hook",
    plant: ({ common }, { trap }) => {
      for (const hook of HOOKS) link(trap("hook"), join(common, "hooks", hook));
    },
  },
  {
    name: "2 hooksPath",
    plant: ({ common, worktree }, { trap }) => {
      for (const hook of HOOKS) link(trap("hooks-path"), join(worktree, "own-hooks", hook));
      configure(common, `[core]\n\thooksPath = ${join(worktree, "own-hooks")}\n`);
    },
  },
  {
    name: "3 fsmonitor",
    plant: ({ common }, { trap }) => configure(common, `[core]\n\tfsmonitor = ${trap("fsmonitor")}\n`),
  },
  {
    name: "4 config.worktree",
    plant: ({ common, gitDir }, { trap }) => {
      configure(common, "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tworktreeConfig = true\n");
      writeFileSync(join(gitDir, "config.worktree"), `[core]\n\tfsmonitor = ${trap("config-worktree")}\n`);
    },
  },
  {
    name: "5 commondir",
    plant: ({ gitDir, common, worktree, agent }, { trap }) => {
      const own = join(worktree, "own-common");
      agent(worktree, "clone", "--quiet", "--bare", common, own);
      configure(own, `[core]\n\tbare = false\n\tfsmonitor = ${trap("commondir")}\n`);
      writeFileSync(join(gitDir, "commondir"), `${own}\n`);
    },
  },
  {
    name: "6 gitdir back-pointer",
    plant: ({ gitDir, worktree }) => writeFileSync(join(gitDir, "gitdir"), `${join(worktree, "nowhere", ".git")}\n`),
  },
  {
    name: "7 .git replaced",
    plant: ({ worktree, agent }, { trap }) => {
      rmSync(join(worktree, ".git"));
      agent(worktree, "init", "--quiet");
      configure(join(worktree, ".git"), `[core]\n\tfsmonitor = ${trap("replaced")}\n`);
    },
  },
  { name: "8 logs/HEAD link", plant: ({ gitDir }, { victim }) => link(victim, join(gitDir, "logs", "HEAD")) },
  {
    name: "9 branch reflog link",
    plant: ({ common }, { victim }) => link(victim, join(common, "logs", "refs", "heads", "lane1")),
  },
  { name: "10 FETCH_HEAD link", plant: ({ gitDir }, { victim }) => link(victim, join(gitDir, "FETCH_HEAD")) },
  { name: "11 COMMIT_EDITMSG link", plant: ({ gitDir }, { victim }) => link(victim, join(gitDir, "COMMIT_EDITMSG")) },
  {
    name: "12 submodule git dir with fsmonitor",
    typed: true,
    plant: (reach, { trap }) => {
      const module = addModule(reach);
      configure(join(module, ".git"), `[core]\n\tfsmonitor = ${trap("submodule")}\n`);
    },
  },
  {
    name: "13 nested bare repository",
    plant: ({ worktree, common, agent }, { trap }) => {
      agent(worktree, "clone", "--quiet", "--bare", common, join(worktree, "nested"));
      configure(
        join(worktree, "nested"),
        `[core]\n\tbare = false\n\tworktree = ${worktree}\n\tfsmonitor = ${trap("nested")}\n`,
      );
    },
  },
  {
    name: "14 .gitattributes and a filter",
    plant: ({ worktree, common }, { trap }) => {
      writeFileSync(join(worktree, ".gitattributes"), "* filter=evil\n");
      const filter = trap("filter");
      configure(common, `[filter "evil"]\n\tclean = ${filter}\n\tsmudge = ${filter}\n\trequired = true\n`);
    },
  },
  {
    name: "15 an initialised submodule's git dir replaced",
    typed: true,
    plant: (reach, { trap }) => {
      mkdirSync(join(reach.common, "modules"), { recursive: true });
      const module = addModule(reach, "--separate-git-dir", join(reach.common, "modules", "module"));
      rmSync(join(module, ".git"));
      reach.agent(reach.worktree, "init", "--quiet", module);
      reach.agent(module, "commit", "--quiet", "--allow-empty", "-m", "another one");
      configure(join(module, ".git"), `[core]\n\tfsmonitor = ${trap("submodule-replaced")}\n`);
    },
  },
];

/** Cases that need no git dir to write to. Whatever is planted must do no harm to whoever compares and merges. */
export const HOSTILE_TREES: readonly Plant[] = [
  {
    name: "T3 .git is a link, a folder, a pipe",
    plant: ({ worktree, agent }, { trap }) => {
      rmSync(join(worktree, ".git"));
      agent(worktree, "init", "--quiet", join(worktree, "own"));
      configure(join(worktree, "own", ".git"), `[core]\n\tfsmonitor = ${trap("linked")}\n`);
      symlinkSync(join(worktree, "own", ".git"), join(worktree, ".git"));
    },
  },
  {
    name: "T4 files and folders are links to foreign ones",
    plant: ({ worktree }, { victim }) => {
      rmSync(join(worktree, "a.txt"));
      symlinkSync(victim, join(worktree, "a.txt"));
      rmSync(join(worktree, "sub"), { recursive: true });
      symlinkSync(dirname(victim), join(worktree, "sub"));
      for (const name of [".gitignore", ".gitattributes", ".gitmodules", ".mailmap"])
        link(victim, join(worktree, name));
    },
  },
  {
    name: "T4 a pipe and a file without end",
    plant: ({ worktree }) => {
      rmSync(join(worktree, "a.txt"));
      execFileSync("mkfifo", [join(worktree, "a.txt"), join(worktree, "sub", "pipe")]);
      writeFileSync(join(worktree, "endless"), "");
      truncateSync(join(worktree, "endless"), 2 ** 40);
    },
  },
  {
    name: "T15 files that the host's tools run, in names of any case",
    plant: ({ worktree }, { trap }) => {
      const program = trap("tool");
      for (const name of [".envrc", ".husky/pre-commit", ".GIT/hooks/pre-commit", ".vscode/tasks.json", "Makefile"]) {
        mkdirSync(dirname(join(worktree, name)), { recursive: true });
        writeFileSync(join(worktree, name), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
      }
    },
  },
  {
    name: "T27 names that are options, patterns, addresses and control characters",
    plant: ({ worktree }, { trap }) => {
      const program = trap("name");
      const names = [
        "--ext-diff",
        `--output=victim`,
        "-c",
        ":(exclude)*",
        ":x",
        "HEAD",
        "a\nb",
        "\u001b]0;x\u0007",
        "$(sh)",
      ];
      for (const name of [...names, `;${program.replaceAll("/", "_")}`]) writeFileSync(join(worktree, name), "x\n");
    },
  },
];

/** A submodule in the work tree, and a commit that names it. */
function addModule({ worktree, agent }: Reach, ...options: readonly string[]): string {
  const module = join(worktree, "module");
  agent(worktree, "init", "--quiet", ...options, module);
  agent(module, "commit", "--quiet", "--allow-empty", "-m", "in the module");
  agent(worktree, "add", "module");
  writeFileSync(join(worktree, ".gitmodules"), '[submodule "module"]\n\tpath = module\n\turl = ./module\n');
  agent(worktree, "add", ".gitmodules");
  agent(worktree, "commit", "--quiet", "-m", "a module");
  return module;
}

function configure(gitDir: string, text: string): void {
  appendFileSync(join(gitDir, "config"), text);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(target, path);
}
