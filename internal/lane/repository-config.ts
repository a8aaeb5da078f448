import type { LaneSettings } from "./lane.ts";
import type { Packages } from "./packages.ts";
import type { SkillChoice } from "./skill-choice.ts";

/** Name of the file at the root of a repository. */
export const REPOSITORY_FILE = ".lanekeeper.yaml";

/** A line for the shell of the agent's user, or a program with its arguments. */
export type SetupCommand = string | readonly string[];

/** What a repository's own file asks of its lanes. Null, or empty: it does not say. */
export interface RepositoryConfig {
  readonly image: string | null;
  readonly agent: string | null;
  readonly skills: SkillChoice | null;
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
  readonly pids: number | null;
  /** Ports of the container that are published on the host's loopback. */
  readonly ports: readonly number[];
  readonly env: Readonly<Record<string, string>>;
  /** What the image gets on top. */
  readonly packages: Packages | null;
  /** Run in each new container of a lane before its first job; null: not said. */
  readonly setup: readonly SetupCommand[] | null;
  /** Run in the lane before it is removed. */
  readonly teardown: readonly SetupCommand[] | null;
}

/** Of a repository that has no such file. */
export const NO_REPOSITORY_CONFIG: RepositoryConfig = {
  image: null,
  agent: null,
  skills: null,
  memoryBytes: null,
  cpus: null,
  pids: null,
  ports: [],
  env: {},
  packages: null,
  setup: null,
  teardown: null,
};

/** What a person has configured: a repository may take less by itself, never more. */
export interface Ceiling extends Pick<LaneSettings, "memoryBytes" | "cpus" | "pids"> {
  readonly image: string;
  readonly skills: SkillChoice;
  readonly packages: Packages | null;
}

/** One thing that a repository asks for beyond the {@link Ceiling}, in the words of its file. */
export interface Widening {
  readonly field: string;
  /** What lanes have without it; null for nothing. */
  readonly was: string | null;
  readonly is: string;
}

const LIMITS = [
  { field: "limits.memory", key: "memoryBytes" },
  { field: "limits.cpus", key: "cpus" },
  { field: "limits.pids", key: "pids" },
] as const;

/**
 * What of a repository's file needs a person's word: another image, packages (their scripts run as root while the image
 * is made), higher limits, published ports, and variables (one of them can send an agent's key elsewhere). In a fixed order. Everything else stays inside the lane, or takes less.
 */
export function wideningOf(config: RepositoryConfig, ceiling: Ceiling): readonly Widening[] {
  const { image, ports, env } = config;
  const higher = LIMITS.flatMap(({ field, key }) => {
    const [most, wanted] = [ceiling[key], config[key]];
    return most !== null && wanted !== null && wanted > most ? [{ field, was: String(most), is: String(wanted) }] : [];
  });
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...(image === null || image === ceiling.image ? [] : [{ field: "image", was: ceiling.image, is: image }]),
    ...morePackages(config.packages, ceiling.packages),
    ...higher,
    ...(ports.length === 0 ? [] : [{ field: "ports", was: null, is: [...ports].sort((a, b) => a - b).join(", ") }]),
    ...variables.map(([name, is]) => ({ field: `env.${name}`, was: null, is })),
  ];
}

/** What is in force of a repository's file: all of it when its widening part is approved, else what takes less. */
export function inForce(config: RepositoryConfig, ceiling: Ceiling, approved: boolean): RepositoryConfig {
  const skills = config.skills === null ? null : lessSkills(config.skills, ceiling.skills);
  if (approved) return { ...config, skills };
  const lower = (key: "memoryBytes" | "cpus" | "pids"): number | null => {
    const [most, wanted] = [ceiling[key], config[key]];
    return most !== null && wanted !== null && wanted > most ? null : wanted;
  };
  return {
    ...config,
    image: config.image === ceiling.image ? config.image : null,
    skills,
    memoryBytes: lower("memoryBytes"),
    cpus: lower("cpus"),
    pids: lower("pids"),
    packages: morePackages(config.packages, ceiling.packages).length > 0 ? null : config.packages,
    ports: [],
    env: {},
  };
}

/** Packages that nobody has configured; the list is shown, and pinned, as a whole. */
function morePackages(wanted: Packages | null, given: Packages | null): readonly Widening[] {
  return (["apt", "npm"] as const).flatMap((kind) => {
    const [words, known] = [wanted?.[kind] ?? [], given?.[kind] ?? []];
    if (words.every((word) => known.includes(word))) return [];
    return [{ field: `packages.${kind}`, was: known.join(", ") || null, is: words.join(", ") }];
  });
}

/** Skills that both allow. */
function lessSkills(wanted: SkillChoice, most: SkillChoice): SkillChoice {
  if (most === "all") return wanted;
  return wanted === "all" ? most : wanted.filter((name) => most.includes(name));
}
