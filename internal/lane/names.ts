import { createHash } from "node:crypto";
import { AppError } from "../base/index.ts";

/** Longest name a person may give a lane: it is also a branch, a folder and a part of a container's name. */
export const LANE_NAME_MAX = 60;

const LANE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Checks a lane's name: letters, digits, `.`, `_`, `-`, starting with a letter or digit, at most
 * {@link LANE_NAME_MAX} characters, no `..`, not ending in `.` or `.lock` (git refuses those as branches).
 * @throws lane.invalid_name
 */
export function parseLaneName(name: string): string {
  const reason = whyInvalid(name);
  if (reason === null) return name;
  throw new AppError({
    code: "lane.invalid_name",
    message: `not a lane name: ${JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name)} ${reason}`,
    hint: `use letters, digits, ".", "_" and "-", starting with a letter or digit, at most ${LANE_NAME_MAX} characters`,
  });
}

function whyInvalid(name: string): string | null {
  if (name.length === 0) return "is empty";
  if (name.length > LANE_NAME_MAX) return `is ${name.length} characters long`;
  if (!LANE_NAME.test(name)) return "has a character that is not allowed";
  if (name.includes("..")) return 'contains ".."';
  if (name.endsWith(".") || name.endsWith(".lock")) return 'ends in "." or ".lock"';
  return null;
}

/** The id of a lane: a slug of its name and a digest of workspace and name, so that equal names stay apart. */
export function laneIdOf(workspaceId: string, name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 24);
  const digest = createHash("sha256").update(`${workspaceId}\0${name}`).digest("hex").slice(0, 10);
  return `${slug || "lane"}-${digest}`;
}

/** Names of what Podman holds for a lane. */
export function resourceNames(install: string, laneId: string) {
  const container = `lane-${install}-${laneId}`;
  return { container, network: container, volume: `${container}-state` } as const;
}

/** Fixed places inside every lane's container. */
export const IN_LANE = {
  workspace: "/workspace",
  state: "/lane/state",
  boot: "/run/lane",
  /** What agents are told beside their prompts: `instructions.md`, `skills/` and what each agent looks for. */
  guide: "/run/lane/guide",
  worker: "/usr/local/bin/lane-worker",
  inbox: "/usr/local/bin/inbox",
  workerCache: "/usr/local/lib/lanekeeper/lane-worker.cache",
  agents: "/opt/agents",
  /** A read-only file over the worktree's own: it names the private git dir. */
  gitPointer: "/workspace/.git",
  /** The lane's private git dir, on its volume; the agent's own. */
  git: "/lane/state/git",
  /** The repository's objects, read-only: the private git dir borrows them. */
  objects: "/lane/objects",
  /** The agent's home, on the lane's volume so that sessions outlive the container. */
  home: "/lane/state/home",
  caBundle: "/etc/ssl/certs/ca-certificates.crt",
} as const;

/** A shell for a person: bash where the image has it, else the one every image has. */
export const LOGIN_SHELL: readonly string[] = [
  "/bin/sh",
  "-c",
  "if command -v bash >/dev/null 2>&1; then exec bash -l; else exec sh -l; fi",
];

/** What of a lane's git is in its bootstrap folder: the file over the worktree's `.git`, and what its git dir is made of. */
export const BOOT_GIT = { pointer: "git-pointer", seed: "git" } as const;

/** The link in a bootstrap folder to the guide that is in force. */
export const BOOT_GUIDE = "guide";

/** The port the worker listens on inside the container; published on loopback. */
export const WORKER_PORT = 31417;

/** The worker's relay to the host API, on the container's own loopback, never published. */
export const RELAY_PORT = 31418;

/** Ports that a lane may have published beside its worker's. */
export const PORTS_MAX = 16;

/** The worker's own uid and gid inside every container: no account of the image or the host has it. */
export const WORKER_UID = 31417;
