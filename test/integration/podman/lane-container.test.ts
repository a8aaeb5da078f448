import { execa } from "execa";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { hasCode } from "../../../internal/base/index.ts";
import { type LaneSpec, resourceNames, toResourceLabels } from "../../../internal/lane/index.ts";
import { eventually } from "../../support/installation.ts";
import { podman } from "../../support/podman.ts";
import { openTestEngine, type TestEngine } from "../../support/test-engine.ts";

/** Effective capabilities of the worker as the kernel writes them: CHOWN (0), KILL (5), SETGID, SETUID, SETPCAP (8). */
const WORKER_CAPS = (2n ** 0n + 2n ** 5n + 2n ** 6n + 2n ** 7n + 2n ** 8n).toString(16).padStart(16, "0");

let engine: TestEngine;
let id: string;
let said: readonly string[];

const field = (name: string) =>
  said
    .find((line) => line.startsWith(name))
    ?.slice(name.length)
    .trim();

beforeAll(async () => {
  // The service inherits the environment; nothing of it may reach a lane.
  vi.stubEnv("http_proxy", "http://proxy.invalid:1");
  vi.stubEnv("LEAKED", "from-the-host");
  engine = await openTestEngine();
  id = await create("one");
  const { runtime } = engine.connection;
  await runtime.startContainer(id, {});
  said = await eventually(
    async () => {
      const lines = await runtime.containerLogs(id, { lines: 100 });
      return lines.includes("up") && lines;
    },
    { what: "the worker's stand-in to be up" },
  );
});
afterAll(() => engine?.[Symbol.asyncDispose]());

async function create(lane: string, change?: (spec: LaneSpec) => LaneSpec): Promise<string> {
  const { runtime } = engine.connection;
  const labels = toResourceLabels({ install: engine.install, lane });
  const names = resourceNames(engine.install, lane);
  const owner = { uid: 31417, gid: 31417 };
  await runtime.ensureNetwork({ name: names.network, isolate: true, labels }, {});
  await runtime.ensureVolume({ name: names.volume, labels, owner }, {});
  return (await runtime.createContainer(engine.lane(lane, change), {})).id;
}

it("gives the worker exactly its capabilities, without being root, and no new privileges", () => {
  expect(field("Uid:")?.split(/\s+/)).toEqual(["31417", "31417", "31417", "31417"]);
  for (const set of ["CapEff:", "CapPrm:", "CapBnd:", "CapAmb:"]) expect(field(set), set).toBe(WORKER_CAPS);
  expect(field("NoNewPrivs:")).toBe("1");
});

it("lets nothing of the host's environment in", () => {
  const env = said.flatMap((line) => (line.startsWith("env ") ? [line.slice(4)] : []));
  expect(env).toContain("INBOX_LANE_ID=one");
  expect(env.filter((line) => /proxy|LEAKED/i.test(line))).toEqual([]);
});

it("runs the worker below an init, with the limits of the spec", async () => {
  expect(field("pid 1 is")).toMatch(/init/);
  const { nofile, nproc } = engine.profile;
  if (nofile !== null) expect(field("Max open files")?.split(/\s+/).slice(0, 2)).toEqual([`${nofile}`, `${nofile}`]);
  if (nproc !== null) expect(field("Max processes")?.split(/\s+/).slice(0, 2)).toEqual([`${nproc}`, `${nproc}`]);
});

it("cuts the log to the last lines that are asked for", async () => {
  expect(await engine.connection.runtime.containerLogs(id, { lines: 1 })).toEqual(["up"]);
});

it("gives the volume to its owner, and takes nothing but the mounts it was given", async () => {
  const stat = (path: string) => podman("exec", id, "stat", "-c", "%u:%g", path);
  expect(await stat("/lane/state")).toBe("31417:31417");
  const write = await execa("podman", ["exec", id, "sh", "-c", "echo x > /usr/local/bin/lane-worker"], {
    reject: false,
  });
  expect(write.exitCode).not.toBe(0);
});

it("makes the lane's network isolated and without a name server", async () => {
  const { network } = resourceNames(engine.install, "one");
  const [seen] = JSON.parse(await podman("network", "inspect", network)) as {
    dns_enabled: boolean;
    options: Record<string, string>;
  }[];
  expect(seen).toMatchObject({ dns_enabled: false, options: { isolate: "true" } });
});

it("never runs a lane in another runtime than it asked for", async () => {
  const other = engine.profile.runtime === "crun" ? "runc" : "crun";
  const change = (spec: LaneSpec) => ({ ...spec, security: { ...spec.security, runtime: other } });
  const error = await create("two", change).catch((caught: unknown) => caught);
  // Podman since 2026 takes the runtime from the request: then it is what was asked for.
  if (typeof error === "string") return;
  expect(hasCode(error, "engine.request_failed") && error.message).toContain(`instead of ${other}`);
  const { container } = resourceNames(engine.install, "two");
  expect(await engine.connection.runtime.inspectContainer(container, {})).toBeNull();
});

it("ends with the worker's own code when it is asked to stop", async () => {
  const { runtime } = engine.connection;
  await runtime.stopContainer(id, { graceMs: 5000 });
  expect(await runtime.inspectContainer(id, {})).toMatchObject({ status: "exited", exitCode: 7, oomKilled: false });
});
