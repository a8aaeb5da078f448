import { readdir } from "node:fs/promises";
import { execa } from "execa";
import { expect } from "vitest";
import { listMonitors } from "../../internal/host/index.ts";
import type { ApiLane } from "../../internal/protocol/api.ts";
import { eventually, type Installation } from "./installation.ts";
import { podman } from "./podman.ts";

/** All that an installation holds in Podman and in the kernel: names, sorted. */
export interface Holdings {
  /** Also the mere storage that a create which was cut off leaves under a name. */
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  /** Containers' names of all monitor processes (conmon). */
  readonly monitors: readonly string[];
  /** Addresses in our networks that a network namespace or a forward of a port has, and no container of ours. */
  readonly deadAddresses: readonly string[];
}

/** Looks for everything that carries this install id, or lies in one of its networks. */
export async function observeHoldings(install: string): Promise<Holdings> {
  const label = ["--filter", `label=io.lanekeeper.install=${install}`];
  const [all, networks, volumes, monitors] = await Promise.all([
    namesOf("ps", "-a", "--external", "--format", "{{.Names}}"),
    namesOf("network", "ls", "--format", "{{.Name}}", ...label),
    namesOf("volume", "ls", "--format", "{{.Name}}", ...label),
    listMonitors(`lane-${install}-`),
  ]);
  const containers = all.filter((name) => name.startsWith(`lane-${install}-`));
  return {
    containers,
    networks,
    volumes,
    monitors: monitors.map((monitor) => monitor.containerName).sort(),
    deadAddresses: await deadAddressesIn(await prefixesOf(networks), await addressesOf(containers)),
  };
}

/** What an installation holds that has just these lanes, all with a running container. */
export function holdingsOf(containerNames: readonly string[]): Holdings {
  const names = [...containerNames].sort();
  return {
    containers: names,
    networks: names,
    volumes: names.map((name) => `${name}-state`).sort(),
    monitors: names,
    deadAddresses: [],
  };
}

/**
 * After the janitor there is what these lanes need, all running, and nothing more. Podman still takes down what belonged
 * to a container when its death is known already.
 */
export async function expectOnly(home: Installation, lanes: readonly Pick<ApiLane, "containerName">[]): Promise<void> {
  const wanted = holdingsOf(lanes.map((lane) => lane.containerName));
  const install = await home.installId();
  let seen: Holdings | null = null;
  try {
    await eventually(
      async () => {
        seen = await observeHoldings(install);
        return JSON.stringify(seen) === JSON.stringify(wanted);
      },
      { what: "nothing left over", withinMs: 15_000 },
    );
  } catch {
    expect(seen).toEqual(wanted);
  }
}

async function namesOf(...args: readonly string[]): Promise<string[]> {
  return (await podman(...args)).split("\n").filter(Boolean).sort();
}

/** `10.89.3.` for 10.89.3.0/24: lanes' networks are given as /24. */
async function prefixesOf(networks: readonly string[]): Promise<string[]> {
  if (networks.length === 0) return [];
  const found = JSON.parse(await podman("network", "inspect", ...networks)) as { subnets: { subnet: string }[] }[];
  return found.flatMap(({ subnets }) => subnets.map(({ subnet }) => subnet.replace(/\.0\/24$/, ".")));
}

async function addressesOf(containers: readonly string[]): Promise<string[]> {
  if (containers.length === 0) return [];
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
  const shown = await execa("podman", ["container", "inspect", "--format", format, ...containers], { reject: false });
  return shown.stdout.split(/\s+/).filter(Boolean);
}

/** Podman as root keeps namespaces as files, and forgets those that it was making when it was killed. */
async function deadAddressesIn(prefixes: readonly string[], living: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir("/run/netns").catch(() => [])) {
    const look = [`--net=/run/netns/${name}`, "cat", "/proc/self/net/fib_trie"];
    const { stdout } = await execa("nsenter", look, { reject: false });
    found.push(...[...stdout.matchAll(/\|-- (\S+)\n\s+\/32 host LOCAL/g)].map((match) => match[1] ?? ""));
  }
  const { stdout } = await execa("iptables", ["-t", "nat", "-S"], { reject: false });
  found.push(...[...(stdout ?? "").matchAll(/--to-destination ([\d.]+)/g)].map((match) => match[1] ?? ""));
  const ours = found.filter((address) => prefixes.some((prefix) => address.startsWith(prefix)));
  return [...new Set(ours)].filter((address) => !living.includes(address)).sort();
}
