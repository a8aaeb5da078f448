import { describe, expect, it } from "vitest";
import { createLaneApi } from "./lane-api.ts";
import { makeBench } from "./testing.ts";

const LANE = "demo-1111111111";

function makeLaneApi() {
  const bench = makeBench();
  const log = { debug: () => {}, warn: () => {}, error: (fields: object) => errors.push(fields) };
  const errors: object[] = [];
  const api = createLaneApi({ ports: bench.ports, log });
  const call = async (method: "GET" | "POST", path: string) => {
    const answer = await api({ laneId: LANE, method, path, key: null, body: "" });
    return { ...answer, json: JSON.parse(answer.body) as Record<string, unknown> };
  };
  return { bench, call, errors };
}

describe("a lane's calls", () => {
  it("answers its own context, by the link's word", async () => {
    const { call, bench } = makeLaneApi();
    const answer = await call("GET", "/v1/lane/context?lane=other");
    expect([answer.status, answer.contentType]).toEqual([200, "application/json"]);
    expect(answer.json).toEqual({
      lane: LANE,
      name: "demo",
      workspace: "ws1",
      branch: "demo",
      generation: 3,
      role: "lane",
      job: null,
    });
    expect(bench.calls).toEqual([["lanes.get", LANE, {}]]);
  });

  it.each([
    ["POST", "/v1/lane/ask"],
    ["POST", "/v1/lane/report"],
    ["POST", "/v1/lane/tasks"],
    ["GET", "/v1/lane/tasks?x=1"],
    ["GET", "/v1/lane/lanes"],
    ["GET", "/v1/lane/questions/1"],
  ] as const)("%s %s is not in this version", async (method, path) => {
    const { call, errors } = makeLaneApi();
    const answer = await call(method, path);
    expect([answer.status, answer.json.code, answer.json.detail]).toEqual([
      501,
      "request.not_supported",
      `${path.split("?")[0]} is not in this version`,
    ]);
    expect(errors).toEqual([]);
  });

  it.each([
    ["GET", "/v1/lanes"],
    ["POST", "/v1/lane/context"],
    ["GET", "/v1/lane/../lanes"],
    ["GET", "/v1/lane/context/../../status"],
    ["POST", "/v1/shutdown"],
  ] as const)("%s %s leads nowhere", async (method, path) => {
    const { call, bench } = makeLaneApi();
    expect([(await call(method, path)).status, bench.calls]).toEqual([404, []]);
  });

  it("tells a lane nothing of what went wrong on the host", async () => {
    const { call, bench, errors } = makeLaneApi();
    bench.fail("lanes.get", new Error("ENOENT /home/me/secret"));
    const answer = await call("GET", "/v1/lane/context");
    expect([answer.status, answer.contentType]).toEqual([500, "application/problem+json"]);
    expect(answer.body).not.toContain("secret");
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ lane: LANE, requestId: answer.json.requestId });
  });
});
