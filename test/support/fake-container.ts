import { type ContainerSummary, type ObservedContainer, parseLabels } from "../../internal/lane/index.ts";
import type { CreateContainer } from "../../internal/supervisor/ports.ts";

/** What inspect shows of a container that was just created from a spec. */
export function createdContainer(from: {
  readonly id: string;
  readonly create: CreateContainer;
  /** One per published port. */
  readonly hostPorts: readonly number[];
}): ObservedContainer {
  const { id, create, hostPorts } = from;
  const { spec } = create;
  const files = [...spec.worker.binaries, ...spec.agents];
  return {
    id,
    name: create.name,
    status: "created",
    labels: parseLabels(create.labels),
    rawLabels: create.labels,
    imageId: spec.image.id,
    entrypoint: spec.worker.entrypoint,
    user: `${spec.security.workerUid}:${spec.security.workerGid}`,
    workdir: spec.worker.workdir,
    env: { ...spec.env, PATH: "/usr/local/bin:/usr/bin:/bin", container: "podman" },
    mounts: [
      ...spec.mounts.map(({ kind, source, target, readOnly }) => ({ kind, source, target, readOnly })),
      ...files.map((f) => ({ kind: "bind" as const, source: f.hostPath, target: f.target, readOnly: true })),
    ],
    ports: spec.network.ports.map((port, i) => ({ ...port, hostPort: hostPorts[i] ?? 0 })),
    networks: [spec.network.name],
    capabilities: [...spec.security.capabilities].sort(),
    memoryBytes: spec.limits.memoryBytes,
    pids: spec.limits.pids,
    cpus: spec.limits.cpus,
    pid: 0,
    conmonPid: 0,
    startedAtMs: null,
    exitCode: null,
    oomKilled: false,
    cgroupPath: null,
    restarts: 0,
  };
}

/** The row of a relist. */
export function summaryOf(container: ObservedContainer): ContainerSummary {
  const { id, name, status, pid, labels, rawLabels } = container;
  return { id, name, status, pid, labels, rawLabels };
}
