import type { LaneSpec, MountSpec } from "../lane/index.ts";

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The same spec with every set in one order, so that reordering is no drift. `entrypoint` keeps its order. */
export function normaliseSpec(spec: LaneSpec): LaneSpec {
  return {
    ...spec,
    worker: { ...spec.worker, binaries: [...spec.worker.binaries].sort((a, b) => byText(a.target, b.target)) },
    mounts: [...spec.mounts].sort((a: MountSpec, b: MountSpec) => byText(a.target, b.target)),
    network: {
      ...spec.network,
      ports: [...spec.network.ports].sort((a, b) => a.containerPort - b.containerPort || byText(a.hostIp, b.hostIp)),
    },
    security: { ...spec.security, capabilities: [...spec.security.capabilities].sort(byText) },
    agents: [...spec.agents].sort((a, b) => byText(a.agent, b.agent)),
  };
}
