import type { LaneSpec, LimitsSpec, MountSpec } from "../lane/index.ts";

/** Period of the CPU quota, µs: the kernel's default. */
const CPU_PERIOD_US = 100_000;

/** Podman waits so long between TERM and KILL when someone else stops the container, s. */
const STOP_TIMEOUT_S = 10;

/**
 * The libpod create body of a lane spec. Pure; every field of the spec ends up here. Nothing of the host's environment
 * leaks in, and everything that is not asked for is dropped.
 */
export function toCreateBody(create: {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: LaneSpec;
}): Record<string, unknown> {
  const { name, labels, spec } = create;
  const { security, limits } = spec;
  return {
    name,
    labels,
    image: spec.image.id,
    entrypoint: spec.worker.entrypoint,
    command: [],
    work_dir: spec.worker.workdir,
    init: spec.worker.init,
    user: `${security.workerUid}:${security.workerGid}`,
    env: spec.env,
    env_host: false,
    httpproxy: false,
    mounts: [...bindsOf(spec).map(toBind), ...(security.readOnlyRoot ? SCRATCH.map(toTmpfs) : [])],
    volumes: spec.mounts.flatMap(toVolume),
    image_volume_mode: "ignore",
    netns: { nsmode: "bridge" },
    Networks: { [spec.network.name]: {} },
    portmappings: spec.network.ports.map((port) => ({
      container_port: port.containerPort,
      host_ip: port.hostIp,
      // 0: Podman draws one, at create.
      host_port: 0,
      protocol: "tcp",
    })),
    cap_drop: ["ALL"],
    cap_add: security.capabilities,
    no_new_privileges: security.noNewPrivileges,
    ...(security.readOnlyRoot ? { read_only_filesystem: true } : {}),
    ...(security.userns === "keep-id" ? { userns: { nsmode: "keep-id" } } : {}),
    ...(security.runtime === null ? {} : { oci_runtime: security.runtime }),
    resource_limits: toResources(limits),
    r_limits: toRlimits(limits),
    restart_policy: "no",
    log_configuration: { driver: "k8s-file", size: limits.logBytes },
    stop_timeout: STOP_TIMEOUT_S,
  };
}

/** What programs expect to be able to write beside their home and the worktree. */
const SCRATCH = ["/tmp", "/var/tmp", "/run"] as const;

function toTmpfs(target: string): Record<string, unknown> {
  return { type: "tmpfs", source: "tmpfs", destination: target, options: ["rw", "nosuid", "nodev", "mode=1777"] };
}

function bindsOf(spec: LaneSpec): Extract<MountSpec, { readonly kind: "bind" }>[] {
  const files = [...spec.worker.binaries, ...spec.agents].map(({ hostPath, target }) => ({
    kind: "bind" as const,
    source: hostPath,
    target,
    readOnly: true,
    relabel: spec.mounts.some((mount) => mount.kind === "bind" && mount.relabel),
  }));
  return [...spec.mounts.filter((mount) => mount.kind === "bind"), ...files];
}

function toBind(mount: Extract<MountSpec, { readonly kind: "bind" }>): Record<string, unknown> {
  const options = ["rbind", "rprivate", mount.readOnly ? "ro" : "rw", ...(mount.relabel ? ["z"] : [])];
  return { type: "bind", source: mount.source, destination: mount.target, options };
}

function toVolume(mount: MountSpec): Record<string, unknown>[] {
  return mount.kind === "volume"
    ? [{ Name: mount.source, Dest: mount.target, Options: [mount.readOnly ? "ro" : "rw"] }]
    : [];
}

function toResources(limits: LimitsSpec): Record<string, unknown> {
  return {
    ...(limits.memoryBytes === null ? {} : { memory: { limit: limits.memoryBytes, swap: limits.memoryBytes } }),
    ...(limits.cpus === null ? {} : { cpu: { quota: Math.round(limits.cpus * CPU_PERIOD_US), period: CPU_PERIOD_US } }),
    ...(limits.pids === null ? {} : { pids: { limit: limits.pids } }),
  };
}

/** Lower-case names without prefix: with `RLIMIT_…` runc refuses at start on 4.3. */
function toRlimits(limits: LimitsSpec): Record<string, unknown>[] {
  const one = (type: string, value: number | null) => (value === null ? [] : [{ type, soft: value, hard: value }]);
  return [...one("nofile", limits.nofile), ...one("nproc", limits.nproc)];
}
