import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHostRecord, linkTo } from "../../../test/support/lane-link.ts";
import {
  bundleWorker,
  startWorkerProcess,
  type WorkerBundle,
  type WorkerProcess,
} from "../../../test/support/worker-process.ts";
import type { LaneApiRequest } from "../../workerlink/index.ts";

let bundle: WorkerBundle;
let worker: WorkerProcess;
beforeAll(async () => {
  bundle = await bundleWorker();
  worker = await startWorkerProcess({ bundle: bundle.path });
});
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  bundle?.[Symbol.dispose]();
});

/** A host that answers with what it was asked. */
async function openHost(answer?: (request: LaneApiRequest, signal: AbortSignal) => Promise<string>) {
  const asked: LaneApiRequest[] = [];
  const link = await linkTo(worker, createHostRecord(), {
    on: {
      apiRequest: async (request, { signal }) => {
        asked.push(request);
        const body = await (answer?.(request, signal) ?? JSON.stringify(request));
        return { status: 200, contentType: "application/json", body };
      },
    },
  });
  return { link, asked };
}
const call = (path: string, init: RequestInit = {}) => fetch(worker.relayUrl + path, init);

describe("the relay", () => {
  it("passes calls below /v1/lane/ to the host, with key and body", async () => {
    const { link } = await openHost();
    const headers = { "idempotency-key": "k1" };
    const response = await call("/v1/lane/ask?x=1", { method: "POST", headers, body: '{"q":"grün?"}' });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      method: "POST",
      path: "/v1/lane/ask?x=1",
      key: "k1",
      body: '{"q":"grün?"}',
    });
    link.close("done");
  });

  it("passes nothing else", async () => {
    const { link, asked } = await openHost();
    const statusOf = async (path: string, init?: RequestInit) => (await call(path, init)).status;
    expect(await statusOf("/v1/jobs")).toBe(404);
    expect(await statusOf("/")).toBe(404);
    expect(await statusOf("/v1/lane/x", { method: "DELETE" })).toBe(405);
    expect(await statusOf("/v1/lane/x", { headers: { origin: "http://127.0.0.1:3000" } })).toBe(403);
    expect(await statusOf("/v1/lane/x", { method: "POST", body: "x".repeat(256 * 1024 + 1) })).toBe(413);
    expect(await statusOf("/v1/lane/x", { method: "POST", body: new Uint8Array([0xff]) })).toBe(413);
    expect(await statusOf("/v1/lane/%2e%2e%2fjobs")).toBe(404);
    expect(asked).toEqual([]);
    const problem = (await (await call("/nothing")).json()) as object;
    expect(problem).toMatchObject({ status: 404, code: "request.not_found", retry: "terminal" });
    link.close("done");
  });

  it("waits for a host that is away, and asks the next one what may be repeated", async () => {
    const waiting = call("/v1/lane/context");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const hanging = await openHost(() => new Promise(() => {}));
    while (hanging.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const keyed = call("/v1/lane/tasks", { method: "POST", headers: { "idempotency-key": "k2" }, body: "{}" });
    const unkeyed = call("/v1/lane/tasks", { method: "POST", body: "{}" });
    while (hanging.asked.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    hanging.link.close("restart");
    const lost = await unkeyed;
    expect(lost.status).toBe(503);
    expect(await lost.json()).toMatchObject({ code: "daemon.unreachable", retry: "terminal" });
    const { link } = await openHost();
    expect((await waiting).status).toBe(200);
    expect(await (await keyed).json()).toMatchObject({ key: "k2" });
    link.close("done");
  });

  it("tells the host of a caller that has gone, and of no other", async () => {
    const aborted: string[] = [];
    const { link, asked } = await openHost(
      ({ path }, signal) => new Promise(() => signal.addEventListener("abort", () => aborted.push(path))),
    );
    const gone = new AbortController();
    const calls = [call("/v1/lane/questions/a?wait=9", { signal: gone.signal }), call("/v1/lane/questions/b?wait=9")];
    const settled = Promise.allSettled(calls);
    while (asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    gone.abort();
    while (aborted.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(aborted).toEqual(["/v1/lane/questions/a?wait=9"]);
    link.close("done");
    void settled;
  });

  it("takes at most 32 calls at once", async () => {
    const { link } = await openHost(() => new Promise(() => {}));
    const abort = new AbortController();
    const calls = Array.from({ length: 33 }, () => call("/v1/lane/context", { signal: abort.signal }));
    const first = await Promise.race(calls);
    expect(first.status).toBe(429);
    abort.abort();
    await Promise.allSettled(calls);
    link.close("done");
  });
});
