import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasCode } from "../base/index.ts";
import { parseInspect, parseList } from "./parse-inspect.ts";

/** Recorded from Podman 4.3.1 (runc, netavark, cgroups v1), from a container made by `toCreateBody`. */
const recorded = (name: string): string =>
  readFileSync(join(import.meta.dirname, "fixtures", "podman-4.3.1", `${name}.json`), "utf8");

type Json = Record<string, unknown>;

/** The recorded running container, changed by hand. */
function changed(change: { readonly [part: string]: Json | unknown }): string {
  const raw = JSON.parse(recorded("inspect-running")) as Record<string, Json>;
  for (const [part, value] of Object.entries(change)) {
    const isPart = typeof value === "object" && value !== null && !Array.isArray(value);
    Object.assign(raw, { [part]: isPart ? { ...raw[part], ...value } : value });
  }
  return JSON.stringify(raw);
}

describe("a container as 4.3.1 shows it", () => {
  it("reads one that was never started", () => {
    const seen = parseInspect(recorded("inspect-created"));
    expect(seen).toMatchObject({ status: "created", pid: 0, conmonPid: 0, startedAtMs: null, exitCode: null });
    expect(seen.entrypoint).toEqual(["/usr/local/bin/lane-worker"]);
    expect(seen.capabilities).toEqual(["CHOWN", "KILL", "SETGID", "SETPCAP", "SETUID"]);
    expect(seen.env).toMatchObject({ INBOX_LANE_ID: "one", container: "podman" });
    expect(seen.ports).toEqual([{ containerPort: 31417, hostIp: "127.0.0.1", hostPort: expect.any(Number) }]);
    expect(seen).toMatchObject({ memoryBytes: 268435456, cpus: 1.5, pids: 128, user: "31417:31417" });
    expect(seen.imageId).toMatch(/^[0-9a-f]{64}$/);
  });

  it("reads a running one", () => {
    const seen = parseInspect(recorded("inspect-running"));
    expect(seen).toMatchObject({ status: "running", exitCode: null, workdir: "/workspace", restarts: 0 });
    expect(seen.pid).toBeGreaterThan(1);
    expect(seen.conmonPid).toBeGreaterThan(1);
    expect(seen.cgroupPath).toContain(seen.id);
    expect(seen.startedAtMs).toBeGreaterThan(0);
    expect(seen.networks).toEqual([seen.name]);
    expect(seen.labels).toMatchObject({ lane: "one", generation: 1 });
  });

  it("names volumes by their name and binds by their path", () => {
    const mounts = new Map(parseInspect(recorded("inspect-running")).mounts.map((m) => [m.target, m]));
    expect(mounts.get("/lane/state")).toMatchObject({ kind: "volume", source: expect.stringMatching(/-state$/) });
    expect(mounts.get("/workspace")).toEqual({
      kind: "bind",
      source: "/tmp/test/tree",
      target: "/workspace",
      readOnly: false,
    });
    expect(mounts.get("/usr/local/bin/lane-worker")?.readOnly).toBe(true);
  });

  it("reads a killed one", () => {
    expect(parseInspect(recorded("inspect-exited"))).toMatchObject({ status: "exited", pid: 0, exitCode: 137 });
  });

  it("reads a row of a list as inspect would show it", () => {
    const [row] = parseList(recorded("list-running"));
    const { id, name, status, pid, labels, rawLabels } = parseInspect(recorded("inspect-running"));
    expect(row).toEqual({ id, name, status, pid, labels, rawLabels });
  });
});

// Shapes of other versions, written by hand after guarantees P3 to P5: nobody has recorded them here.
describe("shapes of other versions", () => {
  it("takes an entrypoint as the array it is since 5.0", () => {
    const text = changed({ Config: { Entrypoint: ["/usr/local/bin/lane-worker"], StopSignal: "SIGTERM" } });
    expect(parseInspect(text)).toEqual(parseInspect(recorded("inspect-running")));
  });

  it("takes an image id with and without its prefix", () => {
    const { imageId } = parseInspect(recorded("inspect-running"));
    expect(parseInspect(changed({ Image: `sha256:${imageId}` })).imageId).toBe(imageId);
  });

  it("takes null where there is nothing", () => {
    const text = changed({
      Mounts: null,
      Config: { Env: null, Labels: null, Entrypoint: null },
      HostConfig: { PortBindings: null, Memory: null, PidsLimit: null, NanoCpus: 0, CpuQuota: 0 },
      NetworkSettings: { Networks: null },
    });
    expect(parseInspect(text)).toMatchObject({
      mounts: [],
      env: {},
      rawLabels: {},
      labels: null,
      entrypoint: [],
      ports: [],
      networks: [],
      memoryBytes: null,
      pids: null,
      cpus: null,
    });
  });

  it("tells no capabilities from not saying", () => {
    expect(parseInspect(changed({ EffectiveCaps: null })).capabilities).toEqual([]);
    expect(parseInspect(changed({ EffectiveCaps: undefined })).capabilities).toBeNull();
  });

  it("gives an unlimited count of processes as no limit", () => {
    expect(parseInspect(changed({ HostConfig: { PidsLimit: -1 } })).pids).toBeNull();
  });

  it("calls a status that it does not know unknown, and knows no exit code then", () => {
    const seen = parseInspect(changed({ State: { Status: "dreaming", ExitCode: 0 } }));
    expect(seen).toMatchObject({ status: "unknown", exitCode: null });
  });

  it("keeps a value with an equals sign whole", () => {
    expect(parseInspect(changed({ Config: { Env: ["A=b=c", "EMPTY="] } })).env).toEqual({ A: "b=c", EMPTY: "" });
  });
});

describe("an answer that cannot be read", () => {
  it.each([
    ["no JSON", "<html>"],
    ["no status", changed({ State: { Status: undefined } })],
    ["a list", "[]"],
  ])("names what does not fit: %s", (_what, text) => {
    const error = (() => {
      try {
        return parseInspect(text);
      } catch (caught) {
        return caught;
      }
    })();
    expect(hasCode(error, "engine.bad_response")).toBe(true);
  });
});
