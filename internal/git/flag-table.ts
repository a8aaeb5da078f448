/** Why a file is flagged; the words of the API. */
export type FlagCode =
  | "package-script"
  | "package-config"
  | "editor-task"
  | "devcontainer"
  | "direnv"
  | "agent-hook"
  | "agent-instructions"
  | "ci"
  | "git-hook"
  | "git-attributes"
  | "submodule"
  | "nested-repository"
  | "link-outside"
  | "special-file"
  | "executable"
  | "lane-config";

/** A path that speaks for itself. */
export interface PathRule {
  readonly code: FlagCode;
  /** On the path in lower case: not every host tells cases apart. */
  readonly path: RegExp;
  readonly message: string;
}

const rule = (code: FlagCode, path: RegExp, message: string): PathRule => ({ code, path, message });

/**
 * Files that programs of the host execute or obey by their place alone, the most telling rule first. Ordinary source,
 * build files among it, is not here: a person who builds it knows that it runs.
 */
export const PATH_RULES: readonly PathRule[] = [
  rule("package-script", /(^|\/)binding\.gyp$/, "npm builds it when the package is installed"),
  rule(
    "package-config",
    /(^|\/)(\.npmrc|\.yarnrc(\.yml)?|\.?pnpmfile\.c?js|bunfig\.toml|\.yarn\/(releases|plugins)\/.+)$/,
    "decides what a package manager installs and runs",
  ),
  rule("package-config", /(^|\/)(\.cargo\/config(\.toml)?|\.mvn\/.+)$/, "decides what a build tool starts"),
  rule(
    "editor-task",
    /(^|\/)(\.vscode\/(tasks|settings|launch|extensions)\.json|[^/]+\.code-workspace)$/,
    "VS Code obeys it when the folder is opened",
  ),
  rule(
    "editor-task",
    /(^|\/)(\.idea\/(runconfigurations|tools|externaltools)\/.+|\.idea\/(workspace|watchertasks)\.xml|\.run\/[^/]+\.xml)$/,
    "a JetBrains IDE runs it",
  ),
  rule(
    "editor-task",
    /(^|\/)(\.zed\/.+\.json|\.fleet\/.+\.json|[^/]+\.sublime-project|\.dir-locals\.el|\.exrc|\.n?vimrc|\.nvim\.lua)$/,
    "an editor obeys it when the folder is opened",
  ),
  rule("devcontainer", /(^|\/)(\.devcontainer\/.+|\.devcontainer\.json)$/, "an editor builds and runs this container"),
  rule("direnv", /(^|\/)(\.envrc|\.?mise(\.[^/]+)?\.toml)$/, "a shell runs it when the folder is entered"),
  rule(
    "agent-instructions",
    /(^|\/)(claude(\.local)?|agents|gemini|copilot-instructions)\.md$/,
    "agents on the host obey what it says",
  ),
  rule(
    "agent-instructions",
    /(^|\/)(\.(claude|codex|gemini|cursor|agents)\/.+\.(md|mdc)|\.cursorrules|\.windsurfrules)$/,
    "agents on the host obey what it says",
  ),
  rule(
    "agent-hook",
    /(^|\/)(\.(claude|codex|gemini|cursor|opencode|agents)\/.+|\.mcp\.json|opencode\.json|\.aider\.conf\.yml)$/,
    "agents on the host run the hooks and servers that it names",
  ),
  rule(
    "ci",
    /(^|\/)(\.(github|gitea|forgejo)\/(workflows|actions)\/.+|\.gitlab-ci\.ya?ml|\.gitlab\/ci\/.+|\.circleci\/.+)$/,
    "the CI service runs it with its secrets",
  ),
  rule(
    "ci",
    /(^|\/)(\.(travis|drone|woodpecker|cirrus|appveyor)\.ya?ml|\.(woodpecker|buildkite|semaphore|teamcity)\/.+)$/,
    "the CI service runs it with its secrets",
  ),
  rule(
    "ci",
    /(^|\/)(jenkinsfile|(azure|bitbucket)-pipelines\.ya?ml|appveyor\.ya?ml|cloudbuild\.ya?ml)$/,
    "the CI service runs it with its secrets",
  ),
  rule("git-hook", /(^|\/)\.(husky|githooks|git-hooks|lefthook)\/.+$/, "git runs it as a hook"),
  rule(
    "git-hook",
    /(^|\/)(\.pre-commit-(config|hooks)\.ya?ml|\.?lefthook(-local)?\.(ya?ml|toml|json)|\.overcommit\.yml)$/,
    "names programs that git's hooks run",
  ),
  rule(
    "git-hook",
    /(^|\/)(\.huskyrc(\.[^/]+)?|\.?simple-git-hooks\.(json|c?js)|\.lintstagedrc(\.[^/]+)?|lint-staged\.config\.[cm]?[jt]s)$/,
    "names programs that git's hooks run",
  ),
  rule("submodule", /(^|\/)\.gitmodules$/, "git fetches other repositories from where it says"),
  rule("lane-config", /^\.lanekeeper\.ya?ml$/, "Lanekeeper makes lanes by it"),
];
