import { BlockList } from "node:net";
import { networkInterfaces } from "node:os";

/** Podman's bridges carry this name unless they were given another. */
const BRIDGE = /^podman\d+$/;

/**
 * May this address talk to a service that listens on all of the host's? Loopback may, and so may containers on a bridge
 * of this host's Podman; the rest of the world may not. Looks at the bridges anew each time: they come and go.
 */
export function isNearby(address: string): boolean {
  const near = new BlockList();
  near.addSubnet("127.0.0.0", 8);
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const one of addresses ?? []) {
      if (BRIDGE.test(name) && one.family === "IPv4" && one.cidr)
        near.addSubnet(one.address, Number(one.cidr.split("/")[1]));
    }
  }
  return near.check(address.replace(/^::ffff:/, ""));
}
