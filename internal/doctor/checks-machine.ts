import { type Check, fail, ok, renderBytes, warn } from "./check.ts";
import type { DoctorFacts, FolderFact, HostFacts } from "./facts.ts";

const GIB = 1024 ** 3;
/** An image, a few lanes and their build output. */
const DISK_WARN_BYTES = 5 * GIB;
/** Below this the store or a commit fails half way. */
const DISK_FAIL_BYTES = GIB;
/** One agent with its tools. */
const MEMORY_WARN_BYTES = GIB;

/** Judges the machine, our folders and the daemon's places. */
export function checkMachine(facts: DoctorFacts): readonly Check[] {
  const { host } = facts;
  const storage = facts.podman.storage;
  return [
    checkCgroups(host),
    checkSelinux(host),
    ...(host.uid === 0 ? [] : checkRootless(host)),
    ok("cpus", "CPUs", String(host.cpus)),
    checkMemory(host),
    checkDisk("disk.state", "disk, state", host.stateFolder),
    ...(storage === null ? [] : [checkDisk("disk.storage", "disk, images", storage)]),
    checkStateFolder(host),
    checkCaBundle(host),
    checkDaemon(host),
    checkPort(host),
    ...checkWorktree(facts),
  ];
}

function checkCgroups({ cgroups }: HostFacts): Check {
  return cgroups === "none"
    ? fail("cgroups", "cgroups", "no cgroup file system is mounted", "mount cgroup2 at /sys/fs/cgroup")
    : ok("cgroups", "cgroups", cgroups);
}

function checkSelinux({ selinux }: HostFacts): Check {
  return ok("selinux", "SELinux", selinux === "off" ? "off" : `${selinux}: worktrees get the shared label`);
}

function checkRootless(host: HostFacts): readonly Check[] {
  const { subuid, subgid, linger, tunWritable } = host.rootless;
  const maps = ["rootless.maps", "rootless id maps"] as const;
  const range = `--add-subuids 100000-165535 --add-subgids 100000-165535 ${host.user}`;
  const missing = [subuid ? null : "/etc/subuid", subgid ? null : "/etc/subgid"].filter((file) => file !== null);
  const checks = [
    missing.length > 0
      ? fail(
          ...maps,
          `${host.user} has no range in ${missing.join(" and ")}`,
          `run \`sudo usermod ${range}\` and \`podman system migrate\``,
        )
      : host.tools.newuidmap === undefined
        ? fail(...maps, "newuidmap was not found", "install uidmap")
        : ok(...maps, `${host.user} has ranges`),
    linger === false
      ? warn(
          "rootless.linger",
          "linger",
          "lanes end when you log out",
          "run `loginctl enable-linger`, or `lane doctor --fix`",
        )
      : ok("rootless.linger", "linger", linger === null ? "no systemd: sessions are not ended" : "on"),
  ];
  if (!tunWritable) {
    checks.push(
      fail("rootless.tun", "/dev/net/tun", "cannot be opened by this user", "run `sudo chmod 666 /dev/net/tun`"),
    );
  }
  return checks;
}

function checkMemory({ memory }: HostFacts): Check {
  const detail = `${renderBytes(memory.availableBytes)} available of ${renderBytes(memory.totalBytes)}`;
  return memory.availableBytes < MEMORY_WARN_BYTES
    ? warn("memory", "memory", detail, "stop lanes that are not needed: `lane ls`, `lane stop <lane>`")
    : ok("memory", "memory", detail);
}

function checkDisk(id: string, title: string, folder: FolderFact): Check {
  if (folder.freeBytes === null)
    return warn(id, title, `${folder.path}: free space is not known`, "see that the folder can be read");
  const detail = `${renderBytes(folder.freeBytes)} free at ${folder.path}`;
  const fix = "free some space: `lane ls`, `lane rm <lane>`, `podman system prune`";
  if (folder.freeBytes < DISK_FAIL_BYTES) return fail(id, title, detail, fix);
  return folder.freeBytes < DISK_WARN_BYTES ? warn(id, title, detail, fix) : ok(id, title, detail);
}

function checkStateFolder({ stateFolder: { path, stat }, uid }: HostFacts): Check {
  const [id, title] = ["state.permissions", "state folder"];
  if (stat === null) return ok(id, title, `${path} will be made by laned`);
  if (stat.uid !== uid)
    return fail(id, title, `${path} belongs to uid ${stat.uid}, not to ${uid}`, `run \`sudo chown -R ${uid} ${path}\``);
  const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
  return (stat.mode & 0o077) === 0
    ? ok(id, title, `${path} (${mode})`)
    : warn(
        id,
        title,
        `${path} has mode ${mode}: others can look into it`,
        `run \`chmod 700 ${path}\`, or \`lane doctor --fix\``,
      );
}

function checkCaBundle({ caBundle }: HostFacts): Check {
  return caBundle === null
    ? warn("ca.bundle", "CA bundle", "not found: https from lanes will fail", "install ca-certificates")
    : ok("ca.bundle", "CA bundle", caBundle);
}

function checkDaemon({ daemon }: HostFacts): Check {
  const [id, title] = ["daemon", "laned"];
  switch (daemon.kind) {
    case "absent":
      return ok(id, title, "not running (`lane up` starts it)");
    case "stale":
      return warn(id, title, "its socket is there and nobody answers", "run `lane up`: it replaces a stale socket");
    case "answers":
      return ok(id, title, `answers, build ${daemon.build}`);
  }
}

function checkPort({ apiPort, daemon }: HostFacts): Check {
  const [id, title] = ["api.port", "page's port"];
  const { port, configured, taken } = apiPort;
  if (!taken) return ok(id, title, `${port} is free`);
  if (daemon.kind === "answers" && daemon.api !== null && daemon.api.endsWith(`:${port}`)) {
    return ok(id, title, `${port} is served by laned`);
  }
  return configured
    ? fail(
        id,
        title,
        `${port} is configured and taken by another program`,
        "set another `api.port` or LANEKEEPER_API_PORT",
      )
    : warn(id, title, `${port} is taken: laned will take a free one`, "see `lane status` for the address");
}

function checkWorktree({ host, podman }: DoctorFacts): readonly Check[] {
  if (host.worktree === null) return [];
  const [id, title] = ["worktree.owner", "worktree's owner"];
  const rootful = podman.engine.kind === "reachable" ? !podman.engine.rootless : host.uid === 0;
  if (host.worktree.uid !== 0 || !rootful) return [ok(id, title, `uid ${host.worktree.uid} at ${host.worktree.path}`)];
  return [
    warn(
      id,
      title,
      `root owns ${host.worktree.path}: agents in its lanes run as root, without capabilities`,
      "give the repository to an ordinary user to have agents run as that user",
    ),
  ];
}
