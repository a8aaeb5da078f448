import type { AgentEvent, AgentSummary } from "../job/index.ts";

/** Names of the agents that Lanekeeper knows. `shell` runs its prompt as a script and needs neither login nor network. */
export const AGENT_NAMES = ["claude", "codex", "gemini", "shell"] as const;

/** One of {@link AGENT_NAMES}. */
export type AgentName = (typeof AGENT_NAMES)[number];

/**
 * All that Lanekeeper knows about one coding agent. Adding an agent is one file with such a value and one line in
 * `registry.ts`. Pure: files, processes and sockets are the callers'.
 */
export interface Agent {
  readonly name: AgentName;
  /** How messages and pages call it. */
  readonly title: string;
  /** What is installed for it; null when the lane's image has all it needs. */
  readonly install: InstallSpec | null;
  /** Logins it can use, best first: the first that is found is taken. Empty: it needs none. */
  readonly logins: readonly LoginSource[];
  /** What a prompt to it is: words, or a script that runs anew each time. */
  readonly prompts: "words" | "script";
  /** What it looks for in the guide's folder, beside `instructions.md` and `skills`; null: it reads no guide. */
  readonly guide: readonly GuideEntry[] | null;
  /** The process of one job. Throws `request.invalid` for a session that cannot be one. */
  readonly command: (run: AgentRun) => AgentCommand;
  /** A reader for one process' standard output, line by line. Never throws, whatever the line. */
  readonly newParser: () => AgentParser;
  /** Why the process ended as it did; pure. Not asked for jobs that were cancelled or ran into their deadline. */
  readonly classify: (end: AgentEnd) => AgentVerdict;
}

/** A pinned npm package and where its program is. Installed without running any script of it. */
export interface InstallSpec {
  /** The package whose version the user names, as `@anthropic-ai/claude-code`. */
  readonly package: string;
  /** The package that holds the program on a platform; the same as `package` when it is plain JavaScript. */
  readonly programPackage: (platform: LanePlatform) => string;
  /** The program, relative to the programPackage's folder. */
  readonly program: (platform: LanePlatform) => string;
  /** `binary` is executed itself, `node` by the lane's Node. */
  readonly runtime: "binary" | "node";
}

/** A file or a relative link in the folder that holds `instructions.md` and `skills/NAME/SKILL.md`. */
export type GuideEntry =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly link: string };

/** What a lane's image is built for, in npm's words. */
export interface LanePlatform {
  readonly os: "linux";
  readonly cpu: "x64" | "arm64";
  readonly libc: "glibc" | "musl";
}

/** One way to log in. The secret is a host's file or environment variable; it never is in argv. */
export type LoginSource =
  /** Goes into the agent's environment only. */
  | { readonly kind: "env"; readonly name: LoginName; readonly envName: string }
  /** Copied to `path` below the agent's home. `hostPath` is below the host user's home. */
  | { readonly kind: "file"; readonly name: LoginName; readonly hostPath: string; readonly path: string };

/** What a login is: `login` is a person's own, whose tokens rotate. */
export type LoginName = "token" | "api-key" | "login";

/** What is to be run. */
export interface AgentRun {
  /** Absolute path in the lane of its Node. */
  readonly node: string;
  /** Absolute path in the lane of the installed program; null for agents without an installation. */
  readonly program: string | null;
  /** The agent's session to go on with; null begins a new one. */
  readonly resume: string | null;
  /** Chosen for a new session where the agent can be told: a UUID, never used before, also not by an earlier attempt. */
  readonly newSession: string;
  readonly prompt: string;
  /** The login that was delivered, of the agent's own; null when none was. */
  readonly login: LoginName | null;
  /** Absolute path in the lane of the guide's folder, read-only; null when there is none. */
  readonly guide: string | null;
  /** Non-secret settings of configuration: extra arguments and variables, as a base URL. */
  readonly extraArgs: readonly string[];
  readonly extraEnv: Readonly<Record<string, string>>;
  /** Does the agent's process run as uid 0? */
  readonly asRoot: boolean;
}

/** The process to start. The prompt is on `stdin`, which is then closed. `env` comes on top of the lane's own. */
export interface AgentCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  /** To be there before it starts. */
  readonly files: readonly AgentFile[];
}

/** Something below the agent's home; `path` is relative to that. */
export type AgentFile =
  /** Non-secret settings for a JSON file; `mergeJson` puts them into what is there already. */
  | { readonly path: string; readonly settings: JsonSettings }
  /** A link to this absolute path. A file that is in its place is kept as `<path>.own`. */
  | { readonly path: string; readonly link: string };

/** A tree of settings. */
export type JsonSettings = { readonly [key: string]: string | boolean | JsonSettings };

/** Reads a stream line by line; holds what the end of the run is judged by. */
export interface AgentParser {
  /** Events of one line, without its newline. Unknown or broken lines give none, or a `warning`. */
  readonly line: (text: string) => readonly AgentEvent[];
  /** What was seen up to now. */
  readonly summary: () => AgentSummary;
}

/** What is known at the end of the process. */
export interface AgentEnd {
  /** When; agents tell the end of a limit in relation to it. */
  readonly endedAtMs: number;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderrTail: string;
  readonly summary: AgentSummary;
}

/**
 * The seven kinds of failure. `login`: missing, expired or not allowed, a person has to act. `limit`: of requests or of
 * an allowance. `overload`: the service fails. `network`: it was not reached, or the connection broke. `refused`: what
 * was asked for is not possible, as a session that does not exist; the same again fails the same way. `interrupted`:
 * ended from outside.
 */
export const FAILURE_KINDS = ["login", "limit", "overload", "network", "refused", "interrupted", "agent"] as const;

/** One of {@link FAILURE_KINDS}. `agent` is everything that is nobody else's fault. */
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** How a run is to be judged. */
export type AgentVerdict =
  | { readonly kind: "succeeded" }
  | {
      readonly kind: "failed";
      readonly failure: FailureKind;
      readonly message: string;
      readonly resetsAtMs: number | null;
    };
