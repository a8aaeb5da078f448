export { editConfigFile } from "./edit-file.ts";
export { isSettingKey, KEYS, SETTING_KEYS, type SettingKey, type SettingValues, variablesOf } from "./keys.ts";
export {
  type ConfigSources,
  isConfigured,
  type LoadedConfig,
  loadConfig,
  type Origin,
  renderOrigin,
} from "./load-config.ts";
export { bootFolderOf, type Env, type MachineFacts, type Paths, resolvePaths, SOCKET_PATH_MAX_BYTES } from "./paths.ts";
export { prepareFolders, readConfigFiles } from "./read-files.ts";
export { parseRepositoryFile, REPOSITORY_FILE_MAX_BYTES } from "./repository-file.ts";
export type { AgentSettings, Settings } from "./settings.ts";
export { type AllowedMount, parseSizeBytes } from "./values.ts";
export type { ConfigFile } from "./yaml-file.ts";
