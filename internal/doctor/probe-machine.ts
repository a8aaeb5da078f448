import { constants } from "node:fs";
import { access, readFile, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import type { FolderFact, HostFacts } from "./facts.ts";

const CA_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Which cgroup layout the machine has; hybrid counts as v1, as it does for Podman. */
export async function observeCgroups(): Promise<HostFacts["cgroups"]> {
  if (await isThere("/sys/fs/cgroup/cgroup.controllers")) return "v2";
  return (await isThere("/sys/fs/cgroup/pids")) || (await isThere("/sys/fs/cgroup/memory")) ? "v1" : "none";
}

/** Is SELinux on, and does it enforce? */
export async function observeSelinux(): Promise<HostFacts["selinux"]> {
  const enforce = await readText("/sys/fs/selinux/enforce");
  if (enforce === null) return "off";
  return enforce.trim() === "1" ? "enforcing" : "permissive";
}

/** What a rootless engine needs of the machine. */
export async function observeRootless(user: string, uid: number): Promise<HostFacts["rootless"]> {
  const hasRange = async (file: string) =>
    ((await readText(file)) ?? "")
      .split("\n")
      .some((line) => line.startsWith(`${user}:`) || line.startsWith(`${uid}:`));
  return {
    subuid: await hasRange("/etc/subuid"),
    subgid: await hasRange("/etc/subgid"),
    linger: (await isThere("/run/systemd/system")) ? await isThere(`/var/lib/systemd/linger/${user}`) : null,
    tunWritable: await isThere("/dev/net/tun", constants.R_OK | constants.W_OK),
  };
}

/** Memory that can be had without swapping, from the kernel's own estimate where there is one. */
export async function observeMemory(): Promise<HostFacts["memory"]> {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec((await readText("/proc/meminfo")) ?? "")?.[1];
  return {
    totalBytes: os.totalmem(),
    availableBytes: kib === undefined ? os.freemem() : Number(kib) * 1024,
  };
}

/** A folder's permissions and the free space below it, also when the folder does not exist yet. */
export async function observeFolder(folder: string): Promise<FolderFact> {
  const seen = await stat(folder).catch(() => null);
  return {
    path: folder,
    stat: seen === null ? null : { mode: seen.mode & 0o7777, uid: seen.uid },
    freeBytes: await observeFreeBytes(folder),
  };
}

async function observeFreeBytes(folder: string): Promise<number | null> {
  for (let at = folder; ; at = path.dirname(at)) {
    const found = await statfs(at).catch(() => null);
    if (found !== null) return found.bavail * found.bsize;
    if (at === path.dirname(at)) return null;
  }
}

/** The first CA bundle of the usual places. */
export async function observeCaBundle(): Promise<string | null> {
  for (const file of CA_BUNDLES) if (await isThere(file)) return file;
  return null;
}

/** Does anything listen on this loopback port? Found by listening there for a moment. */
export function observePortTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(true));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(false)));
  });
}

/** The git work tree that holds a folder, with its owner. */
export async function observeWorktree(folder: string): Promise<HostFacts["worktree"]> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    if (await isThere(path.join(at, ".git"))) {
      const seen = await stat(at).catch(() => null);
      return seen === null ? null : { path: at, uid: seen.uid };
    }
    if (at === path.dirname(at)) return null;
  }
}

function isThere(file: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}

function readText(file: string): Promise<string | null> {
  return readFile(file, "utf8").catch(() => null);
}
