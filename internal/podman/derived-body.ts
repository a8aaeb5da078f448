import { type DerivedImage, INSTALL_LABEL, LABEL_PREFIX } from "../lane/index.ts";

/** Says which installation an image with packages is of. */
export const PACKAGES_LABEL = `${LABEL_PREFIX}packages`;

/** The host's CA bundle, in a folder that is in memory: nothing of it stays in the image. */
const CA_IN_BUILD = "/run/lanekeeper-ca.crt";

/** What packages' scripts are known to need; nothing that reaches beyond the container. */
const CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID", "SYS_CHROOT"];

/** What an image is when it is started. */
export interface ImageConfig {
  readonly env: readonly string[];
  readonly cmd: readonly string[];
  readonly entrypoint: readonly string[];
  readonly user: string;
  readonly workdir: string;
}

/** How packages are made on this machine. */
export interface BuildFacts {
  readonly install: string;
  /** OCI runtime and limits with which containers start here. */
  readonly runtime: string | null;
  readonly nofile: number | null;
  readonly nproc: number | null;
  readonly memoryBytes: number | null;
  readonly pids: number | null;
  /** The host's CA bundle; null for none. */
  readonly caBundle: string | null;
  /** How the registries are reached: in the environment of the programs that install, and not in the image. */
  readonly env: Readonly<Record<string, string>>;
  /** As `Acquire::http::Proxy=…`. */
  readonly aptOptions: readonly string[];
}

/** The label's value of containers and networks that an image is made with: no lane's, and no janitor's business. */
export function buildOwner(install: string): string {
  return `packages:${install}`;
}

/** Name of the container and the network that an image is made with. */
export function buildName(install: string, image: DerivedImage): string {
  return `lanekeeper-packages-${install}-${image.key.slice(0, 16)}`;
}

/**
 * The libpod create body: sleeps, while root installs in it. The image's own environment and nothing more, since all of
 * it is in the image that is made; no mount but the CA bundle.
 */
export function toBuildBody(image: DerivedImage, base: ImageConfig, facts: BuildFacts): Record<string, unknown> {
  const name = buildName(facts.install, image);
  const limit = (type: string, value: number | null) => (value === null ? [] : [{ type, soft: value, hard: value }]);
  const { apt, npm } = image.packages;
  return {
    name,
    image: image.baseId,
    labels: {
      [INSTALL_LABEL]: buildOwner(facts.install),
      [PACKAGES_LABEL]: facts.install,
      [`${PACKAGES_LABEL}.base`]: image.baseId,
      [`${PACKAGES_LABEL}.apt`]: apt.join(" "),
      [`${PACKAGES_LABEL}.npm`]: npm.join(" "),
    },
    entrypoint: ["sleep", "infinity"],
    command: [],
    init: true,
    unsetenvall: true,
    env: Object.fromEntries(base.env.map((entry) => splitAt(entry, entry.indexOf("=")))),
    env_host: false,
    httpproxy: false,
    image_volume_mode: "ignore",
    mounts: [
      toMemory("/run", "755"),
      toMemory("/tmp", "1777"),
      ...(facts.caBundle === null ? [] : [toReadOnly(facts.caBundle, CA_IN_BUILD)]),
    ],
    netns: { nsmode: "bridge" },
    Networks: { [name]: {} },
    cap_drop: ["ALL"],
    cap_add: CAPABILITIES,
    no_new_privileges: true,
    ...(facts.runtime === null ? {} : { oci_runtime: facts.runtime }),
    resource_limits: {
      ...(facts.memoryBytes === null ? {} : { memory: { limit: facts.memoryBytes, swap: facts.memoryBytes } }),
      ...(facts.pids === null ? {} : { pids: { limit: facts.pids } }),
    },
    r_limits: [...limit("nofile", facts.nofile), ...limit("nproc", facts.nproc)],
    restart_policy: "no",
    log_configuration: { driver: "none" },
    stop_timeout: 0,
  };
}

/** What is run in it, one after the other. Names come after `--`, and none is seen by a shell. */
export function toBuildCommands({ packages }: DerivedImage, facts: BuildFacts): readonly (readonly string[])[] {
  const { apt, npm } = packages;
  const ca = facts.caBundle === null ? [] : ["-o", `Acquire::https::CaInfo=${CA_IN_BUILD}`];
  // A mirror that cannot be reached is to be said soon; nobody reads translated descriptions.
  const settings = ["Acquire::Retries=2", "Acquire::http::Timeout=30", "Acquire::Languages=none"];
  const aptGet = ["apt-get", "-qq", ...ca, ...[...facts.aptOptions, ...settings].flatMap((option) => ["-o", option])];
  const npmInstall = ["npm", "install", "--global", "--cache", "/tmp/npm", "--no-audit", "--no-fund", "--no-progress"];
  return [
    ...(apt.length === 0
      ? []
      : [
          [...aptGet, "-o", "APT::Update::Error-Mode=any", "update"],
          [...aptGet, "install", "-y", "--no-install-recommends", "--", ...apt],
          ["apt-get", "clean"],
          ["find", "/var/lib/apt/lists", "-type", "f", "-delete"],
        ]),
    ...(npm.length === 0 ? [] : [[...npmInstall, "--loglevel=error", "--fetch-retries=2", "--", ...npm]]),
  ];
}

/** The environment of what is run in it, on top of the image's own. */
export function toBuildEnv(facts: BuildFacts): Record<string, string> {
  return {
    ...facts.env,
    DEBIAN_FRONTEND: "noninteractive",
    HOME: "/tmp",
    ...(facts.caBundle === null ? {} : { NODE_EXTRA_CA_CERTS: CA_IN_BUILD, SSL_CERT_FILE: CA_IN_BUILD }),
  };
}

/** What gives the image that is made its base's settings back, as instructions of a Containerfile. */
export function toChanges(base: ImageConfig): readonly string[] {
  return [
    `CMD ${JSON.stringify(base.cmd)}`,
    `ENTRYPOINT ${JSON.stringify(base.entrypoint)}`,
    // A container that a person starts from it is none of ours to remove.
    `LABEL ${INSTALL_LABEL}=""`,
  ];
}

function toMemory(destination: string, mode: string): Record<string, unknown> {
  return { type: "tmpfs", source: "tmpfs", destination, options: ["rw", "nosuid", "nodev", `mode=${mode}`] };
}

function toReadOnly(source: string, destination: string): Record<string, unknown> {
  return { type: "bind", source, destination, options: ["bind", "rprivate", "ro"] };
}

function splitAt(text: string, at: number): readonly [string, string] {
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
