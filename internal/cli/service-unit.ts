/** Name of the user unit. */
export const UNIT_NAME = "laned.service";

/** What the unit is made from. All paths absolute. */
export interface UnitFacts {
  readonly node: string;
  readonly laned: string;
  /** The environment of whoever installs it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

/** What of an environment the service needs, to find the same programs and folders. Never a key of an agent. */
const KEPT = ["PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "CONTAINER_HOST"];

/** The text of the user unit that runs laned. Pure. */
export function renderUnit({ node, laned, env, uid }: UnitFacts): string {
  // systemd sets the usual one by itself.
  const runtime = env.XDG_RUNTIME_DIR === `/run/user/${uid}` ? [] : ["XDG_RUNTIME_DIR"];
  const variables = [...KEPT, ...runtime].flatMap((name) => {
    const value = env[name];
    return value === undefined || value === "" ? [] : [`Environment=${quote(`${name}=${value}`)}`];
  });
  return `# Written by \`lane service install\`; own settings go into \`systemctl --user edit laned\`.
[Unit]
Description=Lanekeeper daemon
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=exec
ExecStart=${[node, laned].map((word) => quote(word).replaceAll("$", "$$$$")).join(" ")}
${variables.join("\n")}
Restart=on-failure
RestartSec=1
# A configuration that cannot be read, another laned that runs already: another try finds the same.
RestartPreventExitStatus=2 5
# Only laned itself: its lanes, their monitors and the engine's service go on without it.
KillMode=process
TimeoutStopSec=45
StandardOutput=journal
StandardError=journal

[Install]
WantedBy=default.target
`;
}

/** A word as systemd reads it: in double quotes, its specifiers off. */
function quote(word: string): string {
  return `"${word.replace(/["\\]/g, "\\$&").replaceAll("%", "%%").replaceAll("\n", "\\n")}"`;
}
