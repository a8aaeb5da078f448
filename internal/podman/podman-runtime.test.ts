import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import type { EngineEvent, LaneSpec } from "../lane/index.ts";
import { testSpec } from "../reconcile/testing.ts";
import { createPodmanRuntime, type PodmanRuntime } from "./podman-runtime.ts";

type Answer = { readonly status: number; readonly body?: unknown } | "hang" | "cut";

const recorded = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, "fixtures", "podman-4.3.1", `${name}.json`), "utf8"));

/** Errors of libpod look like this, whatever the reason (recorded from 4.3.1). */
const failure = (message: string, cause = message) => ({ status: 500, body: { cause, message, response: 500 } });
const MISSING: Answer = {
  status: 404,
  body: { cause: "no such container", message: "no such container", response: 404 },
};

let dir: string;
let server: Server;
let runtime: PodmanRuntime;
let answers: Map<string, Answer>;
let seen: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lp-"));
  answers = new Map();
  seen = [];
  server = createServer((request, response) => {
    const key = keyOf(request);
    seen.push(key);
    const answer = answers.get(key) ?? { status: 418, body: `no answer for ${key}` };
    if (answer === "hang") return;
    if (answer === "cut") return void response.destroy();
    const body = Buffer.isBuffer(answer.body) ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status).end(answer.body === undefined ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(join(dir, "s"), resolve));
  runtime = createPodmanRuntime({ address: `unix://${join(dir, "s")}` });
});
afterEach(async () => {
  await runtime.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

/** `GET /containers/x/json`: method and path below the pinned prefix, without the query. */
function keyOf(request: IncomingMessage): string {
  const path = (request.url ?? "").replace(/\?.*/, "");
  return `${request.method} ${path.startsWith("/v4.0.0/libpod/") ? path.slice("/v4.0.0/libpod".length) : `!${path}`}`;
}

async function errorOf(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

describe("a create that fails with 500", () => {
  const spec: LaneSpec = {
    ...testSpec(),
    worker: { ...testSpec().worker, binaries: [] },
    mounts: [],
    agents: [],
    security: { ...testSpec().security, runtime: null },
  };
  const create = (change: Partial<LaneSpec> = {}) =>
    runtime.createContainer({ name: "lane-x", labels: {}, spec: { ...spec, ...change } }, {});
  const image = `GET /images/${spec.image.id}/exists`;
  const name = "GET /containers/lane-x/exists";

  beforeEach(() => {
    // The words are of no help, and must not be: they name something else each time.
    answers.set("POST /containers/create", failure("something about an image, a name, no such file"));
    answers.set(image, { status: 204 });
    answers.set(name, { status: 404 });
  });

  it("is a missing image when there is none", async () => {
    answers.set(image, { status: 404 });
    expect(await errorOf(create())).toMatchObject({
      code: "engine.image_missing",
      hint: expect.stringContaining("make"),
    });
  });

  it("is a conflict when the name is in use", async () => {
    answers.set(name, { status: 204 });
    expect((await errorOf(create())).code).toBe("engine.conflict");
  });

  it("is a bad mount when a source is not there, and says which", async () => {
    const source = join(dir, "gone");
    const mounts = [{ kind: "bind", source, target: "/x", readOnly: true, relabel: false }] as const;
    const error = await errorOf(create({ mounts }));
    expect(error).toMatchObject({ code: "engine.bad_mount", details: { source } });
  });

  it("is what the engine says when nothing is missing, with the facts of the request", async () => {
    const error = await errorOf(create());
    expect(error).toMatchObject({
      code: "engine.request_failed",
      retry: "retryable",
      details: { method: "POST", path: "/containers/create", status: 500 },
    });
    expect(error.message).toContain("something about");
    expect(error.hint).toBeDefined();
  });
});

describe("the runtime that a create asks for", () => {
  const asked = (wanted: string) => ({
    name: "lane-x",
    labels: {},
    spec: { ...testSpec(), security: { ...testSpec().security, runtime: wanted } },
  });

  beforeEach(() => {
    answers.set("POST /containers/create", { status: 201, body: { Id: "c1", Warnings: null } });
    answers.set("POST /containers/c1/start", { status: 204, body: null });
    answers.set("DELETE /containers/c1", { status: 200, body: [{ Id: "c1" }] });
  });

  it("may be given by its path", async () => {
    answers.set("GET /containers/c1/json", { status: 200, body: { OCIRuntime: "/usr/bin/runsc" } });
    expect(await runtime.createContainer(asked("runsc"), {})).toEqual({ id: "c1" });
    await runtime.startContainer("c1", {});
    expect(seen).not.toContain("DELETE /containers/c1");
  });

  it("was not given: the container is removed again", async () => {
    answers.set("GET /containers/c1/json", { status: 200, body: { OCIRuntime: "crun" } });
    await runtime.createContainer(asked("runsc"), {});
    const error = await errorOf(runtime.startContainer("c1", {}));
    expect(error).toMatchObject({ code: "engine.request_failed", details: { wanted: "runsc", given: "crun" } });
    expect(seen).toContain("DELETE /containers/c1");
  });
});

describe("a start that fails", () => {
  it("is a taken port only by the engine's words, as nothing else tells", async () => {
    const message = "cannot listen on the TCP port: listen tcp4 127.0.0.1:45023: bind: address already in use";
    answers.set("POST /containers/c1/start", failure(message, "address already in use"));
    expect(await errorOf(runtime.startContainer("c1", {}))).toMatchObject({
      code: "engine.port_in_use",
      retry: "retryable",
    });
  });

  it("is a bad mount when a source of the container is gone", async () => {
    answers.set("POST /containers/c1/start", failure("OCI runtime error"));
    const inspect = recorded("inspect-created") as Record<string, unknown>;
    const mount = { Type: "bind", Source: join(dir, "gone"), Destination: "/x", RW: true };
    answers.set("GET /containers/c1/json", { status: 200, body: { ...inspect, Mounts: [mount] } });
    expect((await errorOf(runtime.startContainer("c1", {}))).code).toBe("engine.bad_mount");
  });

  it("stays what it is when the container is gone by then", async () => {
    answers.set("POST /containers/c1/start", failure("OCI runtime error"));
    answers.set("GET /containers/c1/json", MISSING);
    expect((await errorOf(runtime.startContainer("c1", {}))).code).toBe("engine.request_failed");
    answers.set("POST /containers/c1/start", MISSING);
    expect((await errorOf(runtime.startContainer("c1", {}))).code).toBe("engine.not_found");
  });
});

describe("a removal", () => {
  it("that reports an error has failed only when the container is still there", async () => {
    answers.set("GET /containers/c1/json", MISSING);
    answers.set("DELETE /containers/c1", { status: 200, body: [{ Id: "c1", Err: {} }] });
    answers.set("GET /containers/c1/exists", { status: 404 });
    await runtime.removeContainer("c1", {});
    answers.set("GET /containers/c1/exists", { status: 204 });
    expect((await errorOf(runtime.removeContainer("c1", {}))).code).toBe("engine.request_failed");
  });

  it("of a volume never takes containers with it", async () => {
    answers.set("DELETE /volumes/v", { status: 409, body: { message: "volume is being used" } });
    expect((await errorOf(runtime.removeVolume("v", {}))).code).toBe("engine.conflict");
  });
});

describe("logs", () => {
  const frame = (stream: number, text: string) => {
    const bytes = Buffer.from(text);
    const head = Buffer.alloc(8);
    head.writeUInt8(stream, 0);
    head.writeUInt32BE(bytes.length, 4);
    return Buffer.concat([head, bytes]);
  };

  it("come in frames of two streams", async () => {
    const body = Buffer.concat([frame(1, "one\n"), frame(2, "zwölf\n"), frame(1, "three\n")]);
    answers.set("GET /containers/c1/logs", { status: 200, body });
    expect(await runtime.containerLogs("c1", { lines: 2 })).toEqual(["zwölf", "three"]);
  });

  it("keep what came before a frame that was cut off", async () => {
    const body = Buffer.concat([frame(1, "one\n"), frame(1, "two\n").subarray(0, 6)]);
    answers.set("GET /containers/c1/logs", { status: 200, body });
    expect(await runtime.containerLogs("c1", { lines: 9 })).toEqual(["one"]);
  });
});

describe("an engine that does not answer", () => {
  it("is unavailable when nobody listens, or the connection breaks", async () => {
    answers.set("GET /_ping", "cut");
    expect(await errorOf(runtime.ping({}))).toMatchObject({ code: "engine.unavailable", retry: "retryable" });
    const nobody = createPodmanRuntime({ address: `unix://${dir}/nobody` });
    expect(await errorOf(nobody.ping({}))).toMatchObject({ code: "engine.unavailable" });
    await nobody.close();
  });

  it("is left when the caller cancels", async () => {
    answers.set("GET /_ping", "hang");
    const stop = new AbortController();
    const asking = errorOf(runtime.ping({ signal: stop.signal }));
    setTimeout(() => stop.abort(), 20);
    expect((await asking).code).toBe("cancelled");
  });

  it("is told from one that answers something else", async () => {
    answers.set("GET /info", { status: 200, body: { host: null } });
    expect((await errorOf(runtime.facts({}))).code).toBe("engine.bad_response");
  });
});

describe("events", () => {
  it("are read from lines, however they are cut; a line that does not fit is left out", async () => {
    const event = (action: string) =>
      JSON.stringify({
        Type: "container",
        Action: action,
        timeNano: 1.7e18,
        Actor: { ID: "c1", Attributes: { name: "n" } },
      });
    answers.set("GET /events", { status: 200, body: Buffer.from(`${event("start")}\nnonsense\n${event("died")}\n`) });
    const events: EngineEvent[] = [];
    const { signal } = new AbortController();
    const watching = runtime.watchEvents({
      install: "i",
      signal,
      onOpen: () => undefined,
      onEvent: (e) => events.push(e),
    });
    expect((await errorOf(watching)).code).toBe("engine.unavailable");
    expect(events).toEqual([
      { action: "start", containerId: "c1", containerName: "n", atMs: 1.7e12 },
      { action: "died", containerId: "c1", containerName: "n", atMs: 1.7e12 },
    ]);
  });
});

describe("facts", () => {
  it("are read from what 4.3.1 says of this machine", async () => {
    answers.set("GET /info", { status: 200, body: recorded("info") });
    expect(await runtime.facts({})).toMatchObject({
      version: "4.3.1",
      rootless: false,
      selinux: false,
      cgroups: "v1",
      limitsEffective: true,
      networkBackend: "netavark",
    });
  });

  it("say that a user's limits do nothing on cgroups v1", async () => {
    const info = recorded("info") as { host: { security: object } };
    const security = { ...info.host.security, rootless: true };
    answers.set("GET /info", { status: 200, body: { ...info, host: { ...info.host, security } } });
    expect(await runtime.facts({})).toMatchObject({ rootless: true, limitsEffective: false });
  });
});
