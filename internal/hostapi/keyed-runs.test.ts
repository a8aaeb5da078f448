import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { toJsonSchema } from "../protocol/index.ts";
import { ROUTES } from "./routes.ts";
import { type Bench, makeBench } from "./testing.ts";

const asked = (bench: Bench, name: string) => bench.calls.filter(([call]) => call === name).length;

async function post(bench: Bench, path: string, key: string | null, body?: unknown) {
  const response = await bench.request("POST", path, body, key === null ? {} : { "idempotency-key": key });
  const text = await response.text();
  return { status: response.status, json: text === "" ? null : JSON.parse(text), headers: response.headers };
}

describe("a request with an idempotency key", () => {
  it("is carried out once; who comes again gets the first one's answer", async () => {
    const bench = makeBench();
    const first = await post(bench, "/v1/lanes", "k1", { name: "x", workspace: "shop" });
    const again = await post(bench, "/v1/lanes", "k1", { workspace: "shop", name: "x" });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.json).toEqual(first.json);
    expect(again.headers.get("x-request-id")).not.toBe(first.headers.get("x-request-id"));
    expect(asked(bench, "lanes.add")).toBe(1);
    await post(bench, "/v1/lanes", "k2", { name: "x", workspace: "shop" });
    await post(bench, "/v1/lanes", null, { name: "x", workspace: "shop" });
    expect(asked(bench, "lanes.add")).toBe(3);
  });

  it.each([
    ["another body", "/v1/lanes", { name: "y", workspace: "shop" }],
    ["another query", "/v1/lanes/demo/ensure?wait=1", undefined],
    ["another target", "/v1/lanes/demo-1111111111/ensure", undefined],
  ])("is refused with %s", async (_what, path, body) => {
    const bench = makeBench();
    await post(bench, "/v1/lanes", "k", { name: "x", workspace: "shop" });
    await post(bench, "/v1/lanes/demo/ensure", "k");
    const { status, json } = await post(bench, path, "k", body);
    expect([status, json.code]).toEqual([422, "request.key_conflict"]);
    expect([asked(bench, "lanes.add"), asked(bench, "lanes.ensure")]).toEqual([1, 1]);
  });

  it("waits for the first of the same key, and one of another body does not", async () => {
    const bench = makeBench();
    const body = { name: "x", workspace: "shop" };
    const all = await Promise.all([
      ...Array.from({ length: 100 }, () => post(bench, "/v1/lanes", "k", body)),
      post(bench, "/v1/lanes", "k", { ...body, name: "y" }),
    ]);
    expect(all.map(({ status }) => status)).toEqual([...Array.from({ length: 100 }, () => 201), 422]);
    expect(asked(bench, "lanes.add")).toBe(1);
  });

  it("may be tried again when it has failed", async () => {
    const bench = makeBench();
    bench.fail("lanes.ensure", new AppError({ code: "engine.unavailable", message: "away" }));
    expect((await post(bench, "/v1/lanes/demo/ensure", "k")).status).toBe(503);
    expect((await post(bench, "/v1/lanes/demo/ensure", "k")).status).toBe(200);
    expect((await post(bench, "/v1/lanes/demo/ensure", "k")).status).toBe(200);
    expect(asked(bench, "lanes.ensure")).toBe(2);
  });

  it("does not share the end of a client that went away", async () => {
    const bench = makeBench();
    bench.fail("lanes.ensure", new AppError({ code: "cancelled", message: "the client has gone" }));
    const both = await Promise.all(["k", "k"].map((key) => post(bench, "/v1/lanes/demo/ensure", key)));
    expect(both.map(({ status }) => status)).toEqual([499, 200]);
  });

  it("needs a key of 1 to 128 characters", async () => {
    const bench = makeBench();
    for (const key of ["", "x".repeat(129)]) {
      expect((await post(bench, "/v1/lanes/demo/ensure", key)).status).toBe(400);
    }
    expect(asked(bench, "lanes.ensure")).toBe(0);
  });

  it("keeps what a job's own key means, and nothing of what is secret", () => {
    const posts = ROUTES.filter(({ method }) => method === "POST");
    const named = (keyed: string | undefined) =>
      posts
        .filter((route) => route.keyed === keyed)
        .map(({ name }) => name)
        .toSorted();
    expect(named("own")).toEqual(["submitJob"]);
    expect(named("never")).toEqual(["issueLoginCode", "login", "openTerminal", "planExec", "shutdown"]);
    // What else is kept is on the disk for a day: no answer of those may hold what lets somebody in.
    for (const route of posts.filter(({ keyed }) => keyed === undefined)) {
      const schemas = route.answers.flatMap(({ schema }) =>
        schema === undefined ? [] : [toJsonSchema(schema, { inline: true })],
      );
      expect(JSON.stringify(schemas), route.name).not.toMatch(/"(token|ticket|secret|password)"/);
    }
  });
});

describe("HEAD", () => {
  it("gets the head of what GET gets, and follows no stream", async () => {
    const bench = makeBench();
    const before = getEventListeners(bench.stop.signal, "abort");
    for (const path of ["/v1/lanes", "/v1/events"]) {
      const head = await bench.request("HEAD", path);
      expect([head.status, await head.text()]).toEqual([200, ""]);
      expect(head.headers.get("x-request-id")).not.toBeNull();
    }
    expect(bench.feed.subscribers()).toBe(0);
    // A stream waits for the daemon's end as long as it is there.
    expect(getEventListeners(bench.stop.signal, "abort")).toEqual(before);
    expect((await bench.request("HEAD", "/v1/lanes/nope")).status).toBe(404);
  });
});
