import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AppError, hasCode, randomHex } from "../../../internal/base/index.ts";
import {
  type EngineEvent,
  type LaneSpec,
  type ObservedContainer,
  resourceNames,
  toResourceLabels,
} from "../../../internal/lane/index.ts";
import { createPodmanRuntime } from "../../../internal/podman/index.ts";
import type { CreateContainer, LaneRuntime } from "../../../internal/supervisor/ports.ts";
import { FakeRuntime } from "../../support/fake-runtime.ts";
import { eventually } from "../../support/installation.ts";
import { laneOf, openTestEngine } from "../../support/test-engine.ts";

/** Owner of new volumes: the stand-in for the worker. */
const OWNER = { uid: 31417, gid: 31417 };

const NO_PROFILE = { runtime: null, nofile: null, nproc: null };

/** What the suite needs of an engine beyond the port. */
interface Bench extends AsyncDisposable {
  readonly runtime: LaneRuntime;
  readonly install: string;
  readonly imageId: string;
  /** A reference of that image. */
  readonly imageName: string;
  lane(name: string, change?: (spec: LaneSpec) => LaneSpec): CreateContainer;
  pause(id: string): Promise<void>;
  /** SIGKILL to the container's main process. */
  kill(id: string): Promise<void>;
  occupyPort(port: number): Promise<AsyncDisposable>;
  /** A folder of the host, and how to take it away. */
  makePath(): Promise<{ readonly path: string; remove(): Promise<void> }>;
  /** A path that cannot be mounted. */
  readonly missingPath: string;
  /** The same kind of engine, not answering. */
  readonly deadRuntime: LaneRuntime;
}

async function realBench(): Promise<Bench> {
  const engine = await openTestEngine();
  const { runtime } = engine.connection;
  return {
    runtime: runtime satisfies LaneRuntime,
    install: engine.install,
    imageId: engine.imageId,
    imageName: process.env.LANEKEEPER_IMAGE ?? "localhost/lane-runtime:local",
    lane: engine.lane,
    pause: (id) => runtime.pauseContainer(id, {}),
    kill: (id) => runtime.killContainer(id, { killSignal: "KILL" }),
    occupyPort: listenOn,
    makePath: async () => {
      const path = await mkdtemp(join(engine.dir, "gone-"));
      return { path, remove: () => rm(path, { recursive: true }) };
    },
    missingPath: `${engine.dir}/nonesuch`,
    deadRuntime: createPodmanRuntime({ address: `unix://${engine.dir}/nobody.sock` }),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

async function fakeBench(): Promise<Bench> {
  const runtime = new FakeRuntime();
  const deadRuntime = new FakeRuntime();
  deadRuntime.setUnavailable("nobody listens");
  const install = randomHex(4);
  const imageId = "a".repeat(64);
  const missingPath = "/nonesuch";
  runtime.images.set("localhost/lane-runtime:local", imageId);
  runtime.removePath(missingPath);
  return {
    runtime,
    install,
    imageId,
    imageName: "localhost/lane-runtime:local",
    lane: (name, change) =>
      laneOf({ install, lane: name, imageId, worker: "/worker", tree: "/tree", profile: NO_PROFILE }, change),
    pause: async (id) => runtime.pause(id),
    kill: async (id) => runtime.die(id, 137),
    occupyPort: async (port) => {
      runtime.occupyPort(port);
      return { [Symbol.asyncDispose]: async () => runtime.releasePort(port) };
    },
    makePath: async () => ({ path: "/gone", remove: async () => runtime.removePath("/gone") }),
    missingPath,
    deadRuntime,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function listenOn(port: number): Promise<AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

/** The code that `promise` rejects with; fails the test when it does not. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(AppError);
  return (error as AppError).code;
}

describe.each([
  { engine: "the fake", open: fakeBench },
  { engine: "real Podman", open: realBench },
])("a lane runtime, $engine", ({ open }) => {
  let bench: Bench;
  let runtime: LaneRuntime;
  let count = 0;

  beforeAll(async () => {
    bench = await open();
    runtime = bench.runtime;
  });
  afterAll(() => bench?.[Symbol.asyncDispose]());

  /** Creates a container with its network and volume. */
  async function create(change?: (spec: LaneSpec) => LaneSpec) {
    const lane = `l${++count}`;
    const wanted = bench.lane(lane, change);
    const labels = toResourceLabels({ install: bench.install, lane });
    const names = resourceNames(bench.install, lane);
    await runtime.ensureNetwork({ name: names.network, isolate: true, labels }, {});
    await runtime.ensureVolume({ name: names.volume, labels, owner: OWNER }, {});
    const { id } = await runtime.createContainer(wanted, {});
    return { id, lane, names, wanted };
  }

  const inspect = async (id: string): Promise<ObservedContainer> => {
    const seen = await runtime.inspectContainer(id, {});
    expect(seen).not.toBeNull();
    return seen as ObservedContainer;
  };

  it("shows a created container as its spec says", async () => {
    const { id, wanted, names } = await create();
    const seen = await inspect(id);
    expect(seen).toMatchObject({
      id,
      name: wanted.name,
      status: "created",
      imageId: bench.imageId,
      entrypoint: ["/usr/local/bin/lane-worker"],
      user: "31417:31417",
      workdir: "/workspace",
      networks: [names.network],
      capabilities: ["CHOWN", "KILL", "SETGID", "SETPCAP", "SETUID"],
      memoryBytes: 256 * 1024 * 1024,
      pids: 128,
      cpus: 1.5,
      pid: 0,
      conmonPid: 0,
      startedAtMs: null,
      exitCode: null,
      oomKilled: false,
      restarts: 0,
    });
    // The image's own labels come on top.
    expect(seen.rawLabels).toMatchObject(wanted.labels);
    expect(seen.labels).toMatchObject({ install: bench.install, generation: 1 });
    expect(seen.env).toMatchObject(wanted.spec.env);
    expect(seen.ports).toEqual([{ containerPort: 31417, hostIp: "127.0.0.1", hostPort: expect.any(Number) }]);
    expect(seen.ports[0]?.hostPort).toBeGreaterThan(1024);
    const mounts = new Map(seen.mounts.map((mount) => [mount.target, mount]));
    expect(mounts.get("/workspace")).toMatchObject({ kind: "bind", readOnly: false });
    expect(mounts.get("/lane/state")).toMatchObject({ kind: "volume", source: names.volume, readOnly: false });
    expect(mounts.get("/usr/local/bin/lane-worker")).toMatchObject({ kind: "bind", readOnly: true });
    expect(mounts.size).toBe(3);
  });

  it("is found by name as by id, and is not there under any other", async () => {
    const { id, wanted } = await create();
    expect((await runtime.inspectContainer(wanted.name, {}))?.id).toBe(id);
    expect(await runtime.inspectContainer(`${wanted.name}-other`, {})).toBeNull();
    expect(await runtime.inspectContainer(bench.imageName, {})).toBeNull();
  });

  it("refuses a name in use", async () => {
    const { id, wanted } = await create();
    expect(await codeOf(runtime.createContainer(wanted, {}))).toBe("engine.conflict");
    expect((await inspect(id)).status).toBe("created");
  });

  it("names a missing image", async () => {
    const change = (spec: LaneSpec) => ({ ...spec, image: { id: "b".repeat(64) } });
    expect(await codeOf(create(change))).toBe("engine.image_missing");
  });

  it("names a missing mount source, and leaves nothing behind", async () => {
    const bind = { kind: "bind", source: bench.missingPath, target: "/x", readOnly: true, relabel: false } as const;
    const failed = create((spec) => ({ ...spec, mounts: [...spec.mounts, bind] }));
    const error = await failed.catch((caught: unknown) => caught);
    expect(hasCode(error, "engine.bad_mount") && error.message).toContain(bench.missingPath);
    expect(await runtime.inspectContainer(bench.lane(`l${count}`).name, {})).toBeNull();
  });

  it("starts, keeps the port it drew, and may be started again", async () => {
    const { id } = await create();
    const drawn = (await inspect(id)).ports;
    await runtime.startContainer(id, {});
    const seen = await inspect(id);
    expect(seen).toMatchObject({ status: "running", exitCode: null, ports: drawn });
    expect(seen.pid).toBeGreaterThan(1);
    expect(seen.conmonPid).toBeGreaterThan(1);
    expect(Math.abs((seen.startedAtMs ?? 0) - Date.now())).toBeLessThan(30_000);
    await runtime.startContainer(id, {});
    expect((await inspect(id)).pid).toBe(seen.pid);
  });

  it("cannot start what is not there", async () => {
    expect(await codeOf(runtime.startContainer("0".repeat(64), {}))).toBe("engine.not_found");
  });

  it("tells a taken port, and starts once it is free", async () => {
    const { id } = await create();
    const port = (await inspect(id)).ports[0]?.hostPort ?? 0;
    {
      await using _taken = await bench.occupyPort(port);
      expect(await codeOf(runtime.startContainer(id, {}))).toBe("engine.port_in_use");
      expect((await inspect(id)).status).toBe("created");
    }
    await runtime.startContainer(id, {});
    expect((await inspect(id)).status).toBe("running");
  });

  it("names a mount source that has gone since", async () => {
    const source = await bench.makePath();
    const bind = { kind: "bind", source: source.path, target: "/x", readOnly: true, relabel: false } as const;
    const { id } = await create((spec) => ({ ...spec, mounts: [...spec.mounts, bind] }));
    await source.remove();
    expect(await codeOf(runtime.startContainer(id, {}))).toBe("engine.bad_mount");
  });

  it("stops with an exit code; stopped or absent is fine", async () => {
    const { id } = await create();
    await runtime.stopContainer(id, { graceMs: 5000 });
    await runtime.startContainer(id, {});
    await runtime.stopContainer(id, { graceMs: 5000 });
    const seen = await inspect(id);
    expect(seen).toMatchObject({ status: "exited", pid: 0 });
    expect(seen.exitCode).toBeGreaterThan(0);
    await runtime.stopContainer(id, { graceMs: 5000 });
    await runtime.stopContainer("0".repeat(64), { graceMs: 5000 });
  });

  it("removes what runs; absent is fine", async () => {
    const { id } = await create();
    await runtime.startContainer(id, {});
    await runtime.removeContainer(id, {});
    expect(await runtime.inspectContainer(id, {})).toBeNull();
    await runtime.removeContainer(id, {});
  });

  it("refuses to stop a paused container, unpauses it, removes a paused one", async () => {
    const { id } = await create();
    await runtime.startContainer(id, {});
    await bench.pause(id);
    expect((await inspect(id)).status).toBe("paused");
    expect(await codeOf(runtime.stopContainer(id, { graceMs: 1000 }))).toBe("engine.request_failed");
    await runtime.unpauseContainer(id, {});
    expect((await inspect(id)).status).toBe("running");
    await bench.pause(id);
    await runtime.removeContainer(id, {});
    expect(await runtime.inspectContainer(id, {})).toBeNull();
  });

  it("lists the containers of one installation only", async () => {
    const { id, wanted } = await create();
    const rows = await runtime.listContainers({ install: bench.install });
    const row = rows.find((one) => one.id === id);
    expect(row).toMatchObject({ name: wanted.name, status: "created", pid: 0 });
    expect(row?.rawLabels).toMatchObject(wanted.labels);
    expect(row?.labels?.install).toBe(bench.install);
    expect(await runtime.listContainers({ install: "00000000" })).toEqual([]);
  });

  it("has no logs of an absent container", async () => {
    expect(await runtime.containerLogs("0".repeat(64), { lines: 5 })).toEqual([]);
  });

  it("makes, lists and removes networks; each twice is fine", async () => {
    const labels = toResourceLabels({ install: bench.install, lane: "net" });
    const name = resourceNames(bench.install, "net").network;
    for (let i = 0; i < 2; i++) await runtime.ensureNetwork({ name, isolate: true, labels }, {});
    expect(await runtime.listNetworks({ install: bench.install })).toContainEqual({ name, lane: "net" });
    expect(await runtime.listNetworks({ install: "00000000" })).toEqual([]);
    for (let i = 0; i < 2; i++) await runtime.removeNetwork(name, {});
    expect((await runtime.listNetworks({ install: bench.install })).map((n) => n.name)).not.toContain(name);
  });

  it("makes, lists and removes volumes; each twice is fine", async () => {
    const labels = toResourceLabels({ install: bench.install, lane: "vol" });
    const name = resourceNames(bench.install, "vol").volume;
    for (let i = 0; i < 2; i++) await runtime.ensureVolume({ name, labels, owner: OWNER }, {});
    expect(await runtime.listVolumes({ install: bench.install })).toContainEqual({ name, lane: "vol" });
    expect(await runtime.listVolumes({ install: "00000000" })).toEqual([]);
    for (let i = 0; i < 2; i++) await runtime.removeVolume(name, {});
    expect((await runtime.listVolumes({ install: bench.install })).map((v) => v.name)).not.toContain(name);
  });

  it("never removes a volume from under a container", async () => {
    const { id, names } = await create();
    expect(await codeOf(runtime.removeVolume(names.volume, {}))).toBe("engine.conflict");
    expect((await inspect(id)).status).toBe("created");
  });

  it("never removes a network from under a container", async () => {
    const { id, names } = await create();
    await codeOf(runtime.removeNetwork(names.network, {}));
    expect((await inspect(id)).networks).toEqual([names.network]);
  });

  it("finds images by reference and by id", async () => {
    expect(await runtime.findImage(bench.imageName, {})).toMatchObject({ id: bench.imageId });
    expect(await runtime.findImage(bench.imageId, {})).toMatchObject({ id: bench.imageId });
    expect(await runtime.findImage("localhost/nonesuch:none", {})).toBeNull();
  });

  it("reports a death in the event stream and in inspect", async () => {
    const events: EngineEvent[] = [];
    const others: EngineEvent[] = [];
    await using _watch = await watch(bench.install, events);
    await using _other = await watch("00000000", others);
    const { id, wanted } = await create();
    await runtime.startContainer(id, {});
    await bench.kill(id);
    await eventually(() => events.some((e) => e.action === "died" && e.containerId === id), { what: "the died event" });
    const actions = events.filter((e) => e.containerId === id).map((e) => e.action);
    expect(actions).toEqual(expect.arrayContaining(["create", "init", "start", "died"]));
    expect(actions.indexOf("start")).toBeLessThan(actions.indexOf("died"));
    const start = events.find((e) => e.action === "start" && e.containerId === id);
    expect(start?.containerName).toBe(wanted.name);
    expect(Math.abs((start?.atMs ?? 0) - Date.now())).toBeLessThan(30_000);
    expect(others).toEqual([]);
    const seen = await eventually(async () => (await inspect(id)).status === "exited" && inspect(id), { what: "exit" });
    expect(seen).toMatchObject({ exitCode: 137, pid: 0, oomKilled: false });
  });

  async function watch(install: string, into: EngineEvent[]): Promise<AsyncDisposable> {
    const stop = new AbortController();
    let done: Promise<void> = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      const onEvent = (event: EngineEvent) => void into.push(event);
      done = runtime.watchEvents({ install, signal: stop.signal, onOpen: resolve, onEvent });
      done.catch(reject);
    });
    return {
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await done;
      },
    };
  }

  it("tells its facts", async () => {
    const facts = await runtime.facts({});
    expect(facts.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(facts.cgroups).toMatch(/^v[12]$/);
    expect(facts.address).toMatch(/^unix:\/\//);
    expect(facts.networkBackend).not.toBe("");
  });

  it("ends a wait when it is cancelled", async () => {
    expect(await codeOf(runtime.listContainers({ install: bench.install, signal: AbortSignal.abort() }))).toBe(
      "cancelled",
    );
  });

  it("says so when the engine does not answer", async () => {
    const error = await bench.deadRuntime.listContainers({ install: "x" }).catch((caught: unknown) => caught);
    expect(hasCode(error, "engine.unavailable") && error.retry).toBe("retryable");
  });
});
