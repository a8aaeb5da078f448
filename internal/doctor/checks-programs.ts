import { type Check, fail, isAtLeast, ok, warn } from "./check.ts";
import type { HostFacts, ToolName } from "./facts.ts";

/** better-sqlite3, undici 7 and execa 9 need it. */
const NODE_MINIMUM = "20.19.0";
/** The oldest Podman the libpod client is tested with. */
const PODMAN_MINIMUM = "4.3.0";
/** `git worktree` with relative-safe repair and `--end-of-options` everywhere we use it. */
const GIT_MINIMUM = "2.30.0";

const INSTALL = "install it with the system's package manager, as in `apt-get install";

/** Judges the programs Lanekeeper and Podman need. */
export function checkPrograms(host: HostFacts): readonly Check[] {
  return [
    checkNode(host),
    checkPlatform(host),
    checkVersioned(host, "podman", "Podman", PODMAN_MINIMUM),
    checkVersioned(host, "git", "git", GIT_MINIMUM),
    checkRuntimes(host),
    checkNetwork(host),
    checkInit(host),
    checkConmon(host),
  ];
}

function checkNode({ nodeVersion }: HostFacts): Check {
  return isAtLeast(nodeVersion, NODE_MINIMUM)
    ? ok("node.version", "Node", nodeVersion)
    : fail(
        "node.version",
        "Node",
        `${nodeVersion} is older than ${NODE_MINIMUM}`,
        `install Node ${NODE_MINIMUM} or newer`,
      );
}

function checkPlatform({ platform, arch }: HostFacts): Check {
  const seen = `${platform} ${arch}`;
  if (platform !== "linux") {
    return fail(
      "platform",
      "platform",
      `${seen} is not supported`,
      "run laned on Linux, for example in a virtual machine",
    );
  }
  return arch === "x64" || arch === "arm64"
    ? ok("platform", "platform", seen)
    : warn("platform", "platform", `${seen} is untested`, "the offline image base exists for x64 and arm64 only");
}

function checkVersioned(host: HostFacts, tool: ToolName, title: string, minimum: string): Check {
  const id = `${tool}.version`;
  const found = host.tools[tool];
  if (found === undefined) return fail(id, title, "not found on PATH", `${INSTALL} ${tool}\``);
  if (found.version === null)
    return warn(id, title, `${found.path} does not tell its version`, `run \`${tool} --version\``);
  return isAtLeast(found.version, minimum)
    ? ok(id, title, `${found.version} (${found.path})`)
    : fail(id, title, `${found.version} is older than ${minimum}`, `install ${title} ${minimum} or newer`);
}

function checkRuntimes(host: HostFacts): Check {
  const found = listTools(host, ["crun", "runc"]);
  return found.length > 0
    ? ok("runtime.present", "OCI runtimes", found.join(", "))
    : fail("runtime.present", "OCI runtimes", "neither crun nor runc was found", `${INSTALL} crun runc\``);
}

function checkNetwork(host: HostFacts): Check {
  const [id, title] = ["network.helpers", "network helpers"];
  const missing: string[] = [];
  if (!host.tools.netavark) missing.push("netavark");
  if (!host.tools.iptables && !host.tools.nft) missing.push("iptables");
  if (host.uid !== 0 && !host.tools.slirp4netns && !host.tools.pasta) missing.push("slirp4netns");
  if (missing.length > 0) return fail(id, title, `missing: ${missing.join(", ")}`, `${INSTALL} ${missing.join(" ")}\``);
  const found = listTools(host, ["netavark", "aardvark-dns", "iptables", "nft", "slirp4netns", "pasta"]);
  // Lane networks have no DNS of their own (`dns_enabled: false`), so lanes work without it.
  return host.tools["aardvark-dns"]
    ? ok(id, title, found.join(", "))
    : warn(id, title, `${found.join(", ")}; no aardvark-dns`, `${INSTALL} aardvark-dns\``);
}

function checkInit(host: HostFacts): Check {
  const found = host.tools.catatonit;
  return found
    ? ok("init.present", "container init", found.path)
    : fail(
        "init.present",
        "container init",
        "catatonit was not found: containers cannot run with --init",
        `${INSTALL} catatonit\``,
      );
}

function checkConmon(host: HostFacts): Check {
  const found = host.tools.conmon;
  return found
    ? ok("conmon.present", "conmon", found.path)
    : fail("conmon.present", "conmon", "not found: Podman cannot start containers", `${INSTALL} conmon\``);
}

function listTools(host: HostFacts, names: readonly ToolName[]): readonly string[] {
  return names.flatMap((name) => {
    const tool = host.tools[name];
    if (tool === undefined) return [];
    return [tool.version === null ? name : `${name} ${tool.version}`];
  });
}
