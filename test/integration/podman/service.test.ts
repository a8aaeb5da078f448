import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { hasCode } from "../../../internal/base/index.ts";
import {
  createPodmanRuntime,
  findService,
  type ServiceSearch,
  stopOwnService,
} from "../../../internal/podman/index.ts";
import { eventually } from "../../support/installation.ts";

let dir: string;
let search: ServiceSearch;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sv-"));
  search = {
    configured: null,
    uid: -1,
    userRuntimeDir: null,
    ownSocket: join(dir, "p.sock"),
    ownLog: join(dir, "podman.log"),
    ownRuntime: null,
  };
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await stopOwnService(search.ownSocket);
  await rm(dir, { recursive: true, force: true });
});

/** The pid on record for our own service. */
const pidOf = async () => Number(await readFile(`${search.ownSocket}.pid`, "utf8"));

/** Session and process group of a pid. */
async function groupOf(pid: number) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const [, , pgid, sid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { pgid: Number(pgid), sid: Number(sid) };
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (caught: unknown) => caught,
  );
}

/** A socket that takes connections and never says anything. */
async function silentSocket(path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

describe("a service of our own", () => {
  it("is started in a session of its own, found again, and ended", async () => {
    const found = await findService(search, {});
    expect(found).toEqual({ address: `unix://${search.ownSocket}`, own: true });
    const pid = await pidOf();
    expect(await groupOf(pid)).toEqual({ pgid: pid, sid: pid });
    expect(await findService(search, {})).toEqual(found);
    expect(await pidOf()).toBe(pid);
    await stopOwnService(search.ownSocket);
    const runtime = createPodmanRuntime(found);
    expect(hasCode(await errorOf(runtime.ping({})), "engine.unavailable")).toBe(true);
    await runtime.close();
  });

  it("is started again after it was killed, on the socket it left behind", async () => {
    await findService(search, {});
    const first = await pidOf();
    process.kill(first, "SIGKILL");
    await eventually(async () => (await errorOf(groupOf(first))) !== null, { what: "the service's end" });
    await findService(search, {});
    expect(await pidOf()).not.toBe(first);
  });

  it("breaks the event stream when it dies", async () => {
    const runtime = createPodmanRuntime(await findService(search, {}));
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const signal = new AbortController().signal;
    const watching = errorOf(runtime.watchEvents({ install: "x", signal, onOpen: open, onEvent: () => undefined }));
    await opened;
    process.kill(await pidOf(), "SIGKILL");
    expect(hasCode(await watching, "engine.unavailable")).toBe(true);
    await runtime.close();
  });

  it("is replaced when it runs another runtime than is wanted now", async () => {
    await findService({ ...search, ownRuntime: "crun" }, {});
    await findService({ ...search, ownRuntime: "runc" }, {});
    const argv = (await readFile(`/proc/${await pidOf()}/cmdline`, "utf8")).split("\0");
    expect(argv.slice(1, 3)).toEqual(["--runtime", "runc"]);
  });

  it("says what to do when podman is not there", async () => {
    vi.stubEnv("PATH", dir);
    const error = await errorOf(findService(search, {}));
    expect(hasCode(error, "engine.unavailable") && error.hint).toMatch(/install/);
  });

  it("names its log when it ends at once", async () => {
    await writeFile(join(dir, "podman"), "#!/bin/sh\necho no room left >&2\nexit 3\n", { mode: 0o755 });
    vi.stubEnv("PATH", dir);
    const error = await errorOf(findService(search, {}));
    expect(hasCode(error, "engine.unavailable") && `${error.message} ${error.hint}`).toMatch(
      /exit code 3.*podman\.log/,
    );
    expect(await readFile(search.ownLog, "utf8")).toContain("no room left");
  });
});

describe("a configured service", () => {
  it("is used when it answers, and never replaced when it does not", async () => {
    const { address } = await findService(search, {});
    expect(await findService({ ...search, configured: address }, {})).toEqual({ address, own: false });
    const error = await errorOf(findService({ ...search, configured: `unix://${dir}/other.sock` }, {}));
    expect(hasCode(error, "engine.refused") && error.message).toContain("other.sock");
  });

  it("must be a unix socket", async () => {
    const error = await errorOf(findService({ ...search, configured: "ssh://host/run/podman.sock" }, {}));
    expect(hasCode(error, "engine.refused")).toBe(true);
  });
});

it("passes over a user's socket that does not answer", async () => {
  const found = await findService({ ...search, userRuntimeDir: join(dir, "r") }, {});
  expect(found.own).toBe(true);
});

it("stops waiting for a silent socket when it is cancelled", async () => {
  const server = await silentSocket(join(dir, "silent.sock"));
  const stop = new AbortController();
  const asking = errorOf(findService({ ...search, configured: `unix://${dir}/silent.sock` }, { signal: stop.signal }));
  setTimeout(() => stop.abort(), 50);
  expect(hasCode(await asking, "cancelled")).toBe(true);
  server.close();
});
