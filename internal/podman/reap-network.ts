import { accessSync, readdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { execa } from "execa";
import * as z from "zod";
import { type ObservedContainer, parseOwner } from "../lane/index.ts";
import type { Asker } from "./explain-failure.ts";

/** Where Podman (as root) keeps its containers' network namespaces: one file each, held by a mount. */
const NAMESPACES = "/run/netns";

/** Where Podman's network helper is installed. */
const HELPERS = ["lib", "libexec"].flatMap((dir) => [
  `/usr/${dir}/podman/netavark`,
  `/usr/local/${dir}/podman/netavark`,
]);

const HELPER_DEADLINE_MS = 10_000;

/** A network as inspect shows it; the helper takes that same object. */
const networkSchema = z.looseObject({
  name: z.string(),
  network_interface: z.string().min(1),
  labels: z.record(z.string(), z.string()).nullish(),
  subnets: z.array(z.looseObject({ subnet: z.string() })).default([]),
});

type LaneNetwork = z.infer<typeof networkSchema>;

/** Parses the answer of a network inspect; null for one without a bridge. */
export function parseNetwork(text: string): LaneNetwork | null {
  const parsed = networkSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : null;
}

type Gone = Pick<ObservedContainer, "id" | "name" | "ports">;
type Options = { readonly signal?: AbortSignal | undefined };

/**
 * Takes down what a service that was killed amid a start has left of a removed container: its network namespace with
 * the address, and the forward of its port. Podman writes them down only after they are made, so it forgets them, and
 * what connects to that port then ends nowhere (pitfalls P8, P10; seen on 4.3.1 at two of three kills). Only in networks
 * of the same lane. Nothing to do, and an engine whose bridges are not to be seen from here (rootless, another machine),
 * is fine.
 */
export async function reapNetworks(
  gone: Gone & Pick<ObservedContainer, "rawLabels" | "networks">,
  ask: Asker,
  opts: Options,
): Promise<void> {
  const owner = parseOwner(gone.rawLabels);
  for (const name of owner === null ? [] : gone.networks) {
    const answer = await ask(`/networks/${encodeURIComponent(name)}/json`);
    const network = answer.status === 200 ? parseNetwork(answer.text) : null;
    if (network && isDeepStrictEqual(parseOwner(network.labels ?? {}), owner)) await reapNetwork(gone, network, opts);
  }
}

/** The network is the lane's own and its container is gone; a namespace in which a process lives is left alone even so. */
async function reapNetwork(gone: Gone, network: LaneNetwork, opts: Options): Promise<void> {
  // Podman takes the bridge away with the last container, so that in the usual case this is all.
  if (listDir(`/sys/class/net/${network.network_interface}/brif`).length === 0) return;
  const subnets = network.subnets.map(({ subnet }) => subnet);
  for (const path of listDir(NAMESPACES).map((name) => join(NAMESPACES, name))) {
    const own = parseLocalAddresses(await run("nsenter", [`--net=${path}`, "cat", "/proc/self/net/fib_trie"], opts));
    const addresses = own.filter((address) => subnets.some((subnet) => isInSubnet(address, subnet)));
    if (addresses.length === 0 || isInhabited(path)) continue;
    await teardown(path, { gone, network, addresses }, opts);
    // With its last holder the kernel ends the namespace, and both ends of its link with it.
    await run("umount", [path], opts);
    await rm(path, { force: true });
  }
}

/** Has the helper undo what it did: it knows its own firewall rules, whatever the firewall is. */
async function teardown(
  path: string,
  left: { readonly gone: Gone; readonly network: LaneNetwork; readonly addresses: readonly string[] },
  opts: Options,
): Promise<void> {
  const helper = HELPERS.find(isThere);
  if (!helper) return;
  const { gone, network, addresses } = left;
  const input = {
    container_id: gone.id,
    container_name: gone.name,
    port_mappings: gone.ports.map((port) => ({
      container_port: port.containerPort,
      host_ip: port.hostIp,
      host_port: port.hostPort,
      protocol: "tcp",
      range: 1,
    })),
    networks: { [network.name]: { static_ips: addresses, interface_name: "eth0" } },
    network_info: { [network.name]: network },
  };
  await run(helper, ["--config", "/run/containers/networks", "teardown", path], {
    ...opts,
    input: JSON.stringify(input),
  });
}

/** Runs a tool whose failure changes nothing: what it leaves is looked for again at the next removal. */
async function run(
  file: string,
  args: readonly string[],
  opts: Options & { readonly input?: string | undefined },
): Promise<string> {
  const { stdout } = await execa(file, args, {
    reject: false,
    timeout: HELPER_DEADLINE_MS,
    ...(opts.input === undefined ? { stdin: "ignore" as const } : { input: opts.input }),
    ...(opts.signal ? { cancelSignal: opts.signal } : {}),
  });
  return stdout ?? "";
}

/** The addresses in a `fib_trie` of /proc that are the namespace's own. Pure. */
export function parseLocalAddresses(fibTrie: string): string[] {
  const own = [...fibTrie.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)].map((match) => match[1] ?? "");
  return [...new Set(own)];
}

/** Is an IPv4 address in a subnet, as 10.89.0.0/24? Pure. */
export function isInSubnet(address: string, subnet: string): boolean {
  const [base = "", length = ""] = subnet.split("/");
  const [ip, net, bits] = [toNumber(address), toNumber(base), Number(length)];
  if (ip === null || net === null || !Number.isInteger(bits) || bits < 1 || bits > 32) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(ip / size) === Math.floor(net / size);
}

function toNumber(address: string): number | null {
  const parts = address.split(".").map(Number);
  const valid = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  return valid ? parts.reduce((sum, part) => sum * 256 + part, 0) : null;
}

/** Does any process live in the namespace? */
function isInhabited(path: string): boolean {
  const inode = inodeOf(path);
  return listDir("/proc").some((pid) => /^\d+$/.test(pid) && inodeOf(`/proc/${pid}/ns/net`) === inode);
}

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}

function listDir(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
