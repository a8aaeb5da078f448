import { describe, expect, it } from "vitest";
import { isInSubnet, parseLocalAddresses, parseNetwork } from "./reap-network.ts";

/** Of a container's namespace on a network of its own. */
const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.89.6.0/24 2 0 2
        +-- 10.89.6.0/30 2 0 2
           |-- 10.89.6.0
              /24 link UNICAST
           |-- 10.89.6.2
              /32 host LOCAL
        |-- 10.89.6.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
Local:
  +-- 0.0.0.0/0 3 0 5
           |-- 10.89.6.2
              /32 host LOCAL
`;

describe("parseLocalAddresses", () => {
  it("finds a namespace's own addresses, each once", () => {
    expect(parseLocalAddresses(FIB_TRIE)).toEqual(["10.89.6.2", "127.0.0.1"]);
    expect(parseLocalAddresses("")).toEqual([]);
  });
});

describe("isInSubnet", () => {
  it.each([
    ["10.89.6.2", "10.89.6.0/24", true],
    ["10.89.7.2", "10.89.6.0/24", false],
    ["10.89.7.2", "10.89.6.0/23", true],
    ["10.89.60.2", "10.89.6.0/24", false],
    ["10.89.6.2", "10.89.6.2/32", true],
    ["fd00::2", "fd00::/64", false],
    ["10.89.6.2", "10.89.6.0", false],
    ["10.89.6.2", "0.0.0.0/0", false],
    ["127.0.0.1", "10.89.6.0/24", false],
  ])("says whether %s is in %s: %s", (address, subnet, inside) => {
    expect(isInSubnet(address, subnet)).toBe(inside);
  });
});

describe("parseNetwork", () => {
  it("keeps what it does not know, for the helper", () => {
    const network = {
      name: "n",
      network_interface: "podman7",
      subnets: [{ subnet: "10.89.6.0/24", gateway: "10.89.6.1" }],
      id: "x",
    };
    expect(parseNetwork(JSON.stringify(network))).toEqual(network);
  });

  it("takes a network without a bridge as none of ours", () => {
    expect(parseNetwork(JSON.stringify({ name: "n", subnets: [] }))).toBeNull();
    expect(parseNetwork(JSON.stringify({ name: "n", network_interface: "", subnets: [] }))).toBeNull();
  });
});
