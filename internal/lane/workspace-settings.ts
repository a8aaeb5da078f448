import type { Lane, LaneSettings } from "./lane.ts";
import type { RepositoryConfig, SetupCommand } from "./repository-config.ts";

/** What a person sets for all lanes of a workspace. Null, or empty: not said. */
export interface WorkspaceSettings
  extends Pick<
    LaneSettings,
    "image" | "agent" | "memoryBytes" | "cpus" | "pids" | "env" | "skills" | "base" | "ports" | "packages"
  > {
  readonly setup: readonly SetupCommand[] | null;
  readonly teardown: readonly SetupCommand[] | null;
}

/** A workspace's settings when nothing was said. */
export const DEFAULT_WORKSPACE_SETTINGS: WorkspaceSettings = {
  image: null,
  agent: null,
  memoryBytes: null,
  cpus: null,
  pids: null,
  env: {},
  skills: null,
  base: null,
  ports: null,
  packages: null,
  setup: null,
  teardown: null,
};

/** Who has said a value. */
type SettingOrigin = "lane" | "workspace" | "repository" | "installation";

/** A lane's settings with what its workspace and its repository say where the lane itself says nothing. */
export interface LayeredSettings {
  readonly settings: LaneSettings;
  readonly setup: readonly SetupCommand[];
  readonly teardown: readonly SetupCommand[];
  /** By the key's name in `lane set`, as `limits.memory` and `env.NAME`. */
  readonly origins: Readonly<Record<string, SettingOrigin>>;
}

type Layer = Partial<WorkspaceSettings>;

const KEYS = {
  image: "image",
  agent: "agent",
  memoryBytes: "limits.memory",
  cpus: "limits.cpus",
  pids: "limits.pids",
  skills: "skills",
  base: "base",
  ports: "ports",
  packages: "packages",
  setup: "setup",
  teardown: "teardown",
} as const;

/** By precedence: lane, workspace, repository; what none of them says is the installation's. */
export function layerSettings(lane: Lane, workspace: WorkspaceSettings, repository: RepositoryConfig): LayeredSettings {
  const layers: readonly { readonly origin: SettingOrigin; readonly layer: Layer }[] = [
    { origin: "lane", layer: lane.settings },
    { origin: "workspace", layer: workspace },
    // An empty list of ports says nothing.
    { origin: "repository", layer: { ...repository, ports: repository.ports.length === 0 ? null : repository.ports } },
  ];
  const origins: Record<string, SettingOrigin> = {};
  const pick = <K extends keyof typeof KEYS>(key: K): WorkspaceSettings[K] | null => {
    const found = layers.find(({ layer }) => (layer[key] ?? null) !== null);
    origins[KEYS[key]] = found?.origin ?? "installation";
    return (found?.layer[key] as WorkspaceSettings[K] | undefined) ?? null;
  };
  const env: Record<string, string> = {};
  for (const { origin, layer } of [...layers].reverse()) {
    for (const [name, value] of Object.entries(layer.env ?? {})) {
      env[name] = value;
      origins[`env.${name}`] = origin;
    }
  }
  const settings: LaneSettings = {
    ...lane.settings,
    image: pick("image"),
    agent: pick("agent"),
    memoryBytes: pick("memoryBytes"),
    cpus: pick("cpus"),
    pids: pick("pids"),
    skills: pick("skills"),
    base: pick("base"),
    ports: pick("ports"),
    packages: pick("packages"),
    env,
  };
  return { settings, setup: pick("setup") ?? [], teardown: pick("teardown") ?? [], origins };
}
