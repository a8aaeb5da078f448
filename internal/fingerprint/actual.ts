import type { DriftField, LaneSpec, MountSpec, ObservedContainer, SpecPart } from "../lane/index.ts";

/**
 * Every field in which a container differs from the spec it claims to be made from: what a hand has changed.
 * `was` is what the spec says, `is` what the container shows. Compared after normalisation; inspect output is never
 * hashed. Variables that the image or Podman adds are not drift; a mount, port, network or capability that the spec
 * does not know is.
 */
export function checkActual(spec: LaneSpec, seen: ObservedContainer): DriftField[] {
  const out: DriftField[] = [];
  const compare = (part: SpecPart, field: string, was: string | null, is: string | null): void => {
    if (was !== is) out.push({ part, field, was, is });
  };
  compare("image", "id", spec.image.id, seen.imageId);
  compare("worker", "entrypoint", spec.worker.entrypoint.join(" "), seen.entrypoint.join(" "));
  compare("worker", "workdir", spec.worker.workdir, seen.workdir);
  compare("security", "user", `${spec.security.workerUid}:${spec.security.workerGid}`, seen.user);
  for (const [name, value] of Object.entries(spec.env)) compare("env", name, value, seen.env[name] ?? null);
  compareSets("mounts", wantedMounts(spec), new Map(seen.mounts.map((m) => [m.target, renderMount(m)])), compare);
  compareSets(
    "network",
    new Map(spec.network.ports.map((p) => [`port ${p.containerPort}`, p.hostIp])),
    new Map(seen.ports.map((p) => [`port ${p.containerPort}`, p.hostIp])),
    compare,
  );
  compare("network", "name", spec.network.name, [...seen.networks].sort().join(",") || null);
  if (seen.capabilities !== null) {
    compare(
      "security",
      "capabilities",
      [...spec.security.capabilities].sort().join(","),
      [...seen.capabilities].sort().join(","),
    );
  }
  compareLimit("memoryBytes", spec.limits.memoryBytes, seen.memoryBytes, compare);
  compareLimit("pids", spec.limits.pids, seen.pids, compare);
  compareLimit("cpus", spec.limits.cpus, seen.cpus, compare);
  return out;
}

type Compare = (part: SpecPart, field: string, was: string | null, is: string | null) => void;

/** A limit that the spec leaves to the engine, or that the engine does not report, is not compared. */
function compareLimit(field: string, wanted: number | null, seen: number | null, compare: Compare): void {
  if (wanted !== null && seen !== null) compare("limits", field, String(wanted), String(seen));
}

function compareSets(
  part: SpecPart,
  wanted: ReadonlyMap<string, string>,
  seen: ReadonlyMap<string, string>,
  compare: Compare,
): void {
  for (const key of [...new Set([...wanted.keys(), ...seen.keys()])].sort()) {
    compare(part, key, wanted.get(key) ?? null, seen.get(key) ?? null);
  }
}

function wantedMounts(spec: LaneSpec): Map<string, string> {
  const mounts: readonly MountSpec[] = [
    ...spec.mounts,
    ...spec.worker.binaries.map((b) => readOnlyBind(b.hostPath, b.target)),
    ...spec.agents.map((a) => readOnlyBind(a.hostPath, a.target)),
  ];
  return new Map(mounts.map((mount) => [mount.target, renderMount(mount)]));
}

function readOnlyBind(source: string, target: string): MountSpec {
  return { kind: "bind", source, target, readOnly: true, relabel: false };
}

function renderMount(mount: { readonly kind: string; readonly source: string; readonly readOnly: boolean }): string {
  return `${mount.kind} ${mount.source} ${mount.readOnly ? "ro" : "rw"}`;
}
