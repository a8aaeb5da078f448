import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

/** An agent's real program, as npm has it. */
export type CliName = "claude" | "codex" | "gemini";

/** The versions that the tests were written for, and where their programs are below the installation. */
export const AGENT_CLIS: Readonly<
  Record<CliName, { readonly package: string; readonly version: string; readonly program: string }>
> = {
  claude: {
    package: "@anthropic-ai/claude-code",
    version: "2.1.329",
    program: `node_modules/@anthropic-ai/claude-code-linux-${process.arch}/claude`,
  },
  codex: {
    package: "@openai/codex",
    version: "0.169.0",
    program: `node_modules/@openai/codex-linux-${process.arch}/vendor/${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl/bin/codex`,
  },
  gemini: {
    package: "@google/gemini-cli",
    version: "0.61.0",
    program: "node_modules/@google/gemini-cli/bundle/gemini.js",
  },
};

const INSTALL_TIMEOUT_MS = 170_000;

/**
 * Path of the CLI's program; installs it first where it is not yet (about 100 to 400 MB). Kept between runs in
 * `LANEKEEPER_TEST_AGENTS`, or below the user's cache folder. Without the network it throws with npm's words.
 */
export async function agentCli(name: CliName): Promise<string> {
  const { package: spec, version, program } = AGENT_CLIS[name];
  const folder = join(cacheFolder(), `${name}-${version}-${process.arch}`);
  const path = join(folder, program);
  if (existsSync(path)) return path;
  const half = `${folder}.${randomBytes(4).toString("hex")}.part`;
  await mkdir(half, { recursive: true });
  try {
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error"];
    await execa("npm", ["install", "--prefix", half, ...flags, `${spec}@${version}`], {
      cwd: half,
      timeout: INSTALL_TIMEOUT_MS,
    });
    if (!existsSync(join(half, program))) throw new Error(`${spec}@${version} brought no ${program}`);
    // Whoever else installed it meanwhile was first, which is as good.
    await rename(half, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(half, { recursive: true, force: true });
  }
  return path;
}

function cacheFolder(): string {
  const { LANEKEEPER_TEST_AGENTS: folder, XDG_CACHE_HOME: cache = join(homedir(), ".cache") } = process.env;
  return folder ?? join(cache, "lanekeeper-test-agents");
}
