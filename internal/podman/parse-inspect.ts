import * as z from "zod";
import { AppError } from "../base/index.ts";
import {
  type ContainerStatus,
  type ContainerSummary,
  type ObservedContainer,
  type ObservedMount,
  type ObservedPort,
  parseLabels,
} from "../lane/index.ts";

/** Unknown fields are ignored and missing ones tolerated where a decision does not depend on them (4.3 to 5.x). */
const portBindings = z
  .record(
    z.string(),
    z.array(z.object({ HostIp: z.string().default(""), HostPort: z.string().default("0") })).nullable(),
  )
  .nullish();

const inspectSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  RestartCount: z.number().default(0),
  EffectiveCaps: z.array(z.string()).nullish(),
  State: z.object({
    Status: z.string(),
    Pid: z.number().default(0),
    ConmonPid: z.number().default(0),
    ExitCode: z.number().default(0),
    OOMKilled: z.boolean().default(false),
    StartedAt: z.string().default(""),
    CgroupPath: z.string().optional(),
  }),
  Config: z.object({
    User: z.string().default(""),
    Env: z.array(z.string()).nullish(),
    // A string before 5.0, an array after (pitfall P3).
    Entrypoint: z.union([z.string(), z.array(z.string())]).nullish(),
    WorkingDir: z.string().default(""),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
  HostConfig: z.object({
    PortBindings: portBindings,
    Memory: z.number().nullish(),
    PidsLimit: z.number().nullish(),
    CpuQuota: z.number().nullish(),
    CpuPeriod: z.number().nullish(),
    NanoCpus: z.number().nullish(),
  }),
  Mounts: z
    .array(
      z.object({
        Type: z.string(),
        Name: z.string().optional(),
        Source: z.string().default(""),
        Destination: z.string(),
        RW: z.boolean().default(true),
      }),
    )
    .nullish(),
  NetworkSettings: z.object({ Networks: z.record(z.string(), z.unknown()).nullish() }).nullish(),
});

const listSchema = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()).nullish(),
    State: z.string(),
    Pid: z.number().default(0),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
);

/** Parses text from the engine. @throws engine.bad_response naming what did not fit */
export function parseJson<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badResponse(what, "it is not JSON", cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw badResponse(what, `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "does not fit"}`, parsed.error);
}

function badResponse(what: string, why: string, cause: unknown): AppError {
  return new AppError({
    code: "engine.bad_response",
    message: `the engine's answer to ${what} cannot be read: ${why}`,
    hint: "Podman 4.3 to 5.x is supported: see podman version, and lane doctor",
    cause,
  });
}

/** Parses a container's inspect. */
export function parseInspect(text: string): ObservedContainer {
  return toObserved(parseJson(inspectSchema, text, "inspect"));
}

/** Parses a list of containers. */
export function parseList(text: string): ContainerSummary[] {
  return parseJson(listSchema, text, "list").map((row) => {
    const rawLabels = row.Labels ?? {};
    return {
      id: row.Id,
      name: (row.Names?.[0] ?? "").replace(/^\//, ""),
      status: toStatus(row.State),
      pid: row.Pid,
      labels: parseLabels(rawLabels),
      rawLabels,
    };
  });
}

function toObserved(raw: z.infer<typeof inspectSchema>): ObservedContainer {
  const rawLabels = raw.Config.Labels ?? {};
  return {
    id: raw.Id,
    name: raw.Name.replace(/^\//, ""),
    status: toStatus(raw.State.Status),
    labels: parseLabels(rawLabels),
    rawLabels,
    imageId: raw.Image.replace(/^sha256:/, ""),
    entrypoint: toArgv(raw.Config.Entrypoint),
    user: raw.Config.User,
    workdir: raw.Config.WorkingDir,
    env: toEnv(raw.Config.Env ?? []),
    mounts: (raw.Mounts ?? []).map(toMount),
    ports: toPorts(raw.HostConfig.PortBindings),
    networks: Object.keys(raw.NetworkSettings?.Networks ?? {}),
    // None at all is written as null (4.3.1); only a missing field says nothing.
    capabilities:
      raw.EffectiveCaps === undefined ? null : (raw.EffectiveCaps ?? []).map((cap) => cap.replace(/^CAP_/, "")).sort(),
    memoryBytes: positive(raw.HostConfig.Memory),
    pids: positive(raw.HostConfig.PidsLimit),
    cpus: toCpus(raw.HostConfig),
    pid: raw.State.Pid,
    conmonPid: raw.State.ConmonPid,
    startedAtMs: toTime(raw.State.StartedAt),
    exitCode: toStatus(raw.State.Status) === "exited" || raw.State.Status === "stopped" ? raw.State.ExitCode : null,
    oomKilled: raw.State.OOMKilled,
    cgroupPath: raw.State.CgroupPath ?? null,
    restarts: raw.RestartCount,
  };
}

const STATUSES: readonly ContainerStatus[] = [
  "created",
  "configured",
  "initialized",
  "running",
  "paused",
  "stopping",
  "stopped",
  "exited",
  "removing",
];

function toStatus(word: string): ContainerStatus {
  const lower = word.toLowerCase();
  return STATUSES.find((status) => status === lower) ?? "unknown";
}

/** As one string, Podman before 5.0 joins with blanks: ours never hold one. */
function toArgv(entrypoint: string | readonly string[] | null | undefined): string[] {
  if (!entrypoint) return [];
  return typeof entrypoint === "string" ? entrypoint.split(" ").filter(Boolean) : [...entrypoint];
}

function toEnv(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf("=");
      return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

function toMount(mount: {
  Type: string;
  Name?: string | undefined;
  Source: string;
  Destination: string;
  RW: boolean;
}): ObservedMount {
  const kind = mount.Type === "bind" || mount.Type === "volume" ? mount.Type : "other";
  return {
    kind,
    source: kind === "volume" ? (mount.Name ?? mount.Source) : mount.Source,
    target: mount.Destination,
    readOnly: !mount.RW,
  };
}

function toPorts(bindings: z.infer<typeof portBindings>): ObservedPort[] {
  return Object.entries(bindings ?? {}).flatMap(([key, hosts]) =>
    (hosts ?? []).map((host) => ({
      containerPort: Number.parseInt(key, 10),
      hostIp: host.HostIp,
      hostPort: Number.parseInt(host.HostPort, 10) || 0,
    })),
  );
}

function toCpus(host: {
  NanoCpus?: number | null | undefined;
  CpuQuota?: number | null | undefined;
  CpuPeriod?: number | null | undefined;
}): number | null {
  if (host.CpuQuota && host.CpuQuota > 0 && host.CpuPeriod) return host.CpuQuota / host.CpuPeriod;
  return host.NanoCpus && host.NanoCpus > 0 ? host.NanoCpus / 1e9 : null;
}

function positive(value: number | null | undefined): number | null {
  return value && value > 0 ? value : null;
}

/** Go's zero time stands for "never". */
function toTime(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}
