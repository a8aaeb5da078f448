import { mkdtemp, rm } from "node:fs/promises";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Listener, listenUnix } from "./listen.ts";
import { type Bench, makeBench } from "./testing.ts";
import { AT_MS, makeJob } from "./testing-values.ts";

let dir = "";
let bench: Bench;
let listener: Listener;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "lk-sse-"));
  bench = makeBench();
  listener = await listenUnix(bench.api, join(dir, "s"));
});
afterEach(async () => {
  bench.stop.abort();
  await listener.close({ graceMs: 100 });
  await rm(dir, { recursive: true, force: true });
});

/** Opens a stream; `text()` is what has come so far. */
async function follow(path: string, headers: Record<string, string> = {}) {
  const { answer, outgoing } = await new Promise<{ answer: IncomingMessage; outgoing: ClientRequest }>(
    (resolve, reject) => {
      const made = request({ socketPath: join(dir, "s"), path, headers }, (got) =>
        resolve({ answer: got, outgoing: made }),
      );
      made.on("error", reject);
      made.end();
    },
  );
  let text = "";
  let ended = false;
  answer.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
  });
  answer.on("end", () => {
    ended = true;
  });
  const ids = () => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
  return { status: answer.statusCode, answer, outgoing, text: () => text, ids, ended: () => ended };
}

describe("GET /v1/events", () => {
  it("streams from now on, and resumes after the last id", async () => {
    bench.feed.append("lane.created");
    bench.feed.append("lane.started");
    const live = await follow("/v1/events");
    expect(live.answer.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    await expect.poll(live.text).toBe(": \n\n");
    bench.feed.append("lane.proven");
    await expect.poll(live.ids).toEqual([3]);
    expect(live.text()).toContain(
      `id: 3\ndata: {"seq":3,"type":"lane.proven","lane":null,"job":null,"data":{},"at":"${new Date(AT_MS).toISOString()}"}\n\n`,
    );
    const resumed = await follow("/v1/events", { "last-event-id": "1" });
    await expect.poll(resumed.ids).toEqual([2, 3]);
    const asked = await follow("/v1/events?after=2");
    await expect.poll(asked.ids).toEqual([3]);
    bench.feed.append("a");
    bench.feed.append("b");
    await expect.poll(live.ids).toEqual([3, 4, 5]);
    await expect.poll(resumed.ids).toEqual([2, 3, 4, 5]);
    await expect.poll(asked.ids).toEqual([3, 4, 5]);
  });

  it("says when entries are gone, and when the log began anew", async () => {
    for (let i = 0; i < 6; i++) bench.feed.append(`t${i}`);
    bench.feed.prune(4);
    const late = await follow("/v1/events", { "last-event-id": "2" });
    await expect.poll(late.ids).toEqual([4, 5, 6]);
    expect(late.text()).toContain('id: 4\nevent: gap\ndata: {"from":3,"to":4,"reset":false}\n\n');
    const one = await follow("/v1/events", { "last-event-id": "3" });
    await expect.poll(one.text).toContain('event: gap\ndata: {"from":4,"to":4,"reset":false}');
    const edge = await follow("/v1/events", { "last-event-id": "4" });
    await expect.poll(edge.ids).toEqual([5, 6]);
    expect(edge.text()).not.toContain("gap");
    const ahead = await follow("/v1/events", { "last-event-id": "99" });
    await expect.poll(ahead.text).toContain('event: gap\ndata: {"from":1,"to":6,"reset":true}');
    bench.feed.append("new");
    await expect.poll(ahead.ids).toEqual([6, 7]);
  });

  it("gives up its subscription when the client goes", async () => {
    const live = await follow("/v1/events");
    await expect.poll(() => bench.feed.subscribers()).toBe(1);
    live.answer.on("error", () => undefined);
    live.outgoing.destroy();
    await expect.poll(() => bench.feed.subscribers()).toBe(0);
  });

  it("ends all streams when the daemon stops", async () => {
    const live = await follow("/v1/events");
    await expect.poll(live.text).toBe(": \n\n");
    bench.stop.abort();
    const startedAt = performance.now();
    await listener.close({ graceMs: 5000 });
    expect(performance.now() - startedAt).toBeLessThan(1000);
    await expect.poll(live.ended).toBe(true);
    expect(bench.feed.subscribers()).toBe(0);
  });

  it("holds a slow reader's events in the store, not in memory", async () => {
    for (let i = 0; i < 50_000; i++) bench.feed.append("x".repeat(100));
    const entries = bench.ports.feed.readAfter;
    let read = 0;
    Object.assign(bench.ports.feed, {
      readAfter: (seq: number, limit: number) => {
        const page = entries(seq, limit);
        read = Math.max(read, page.at(-1)?.seq ?? 0);
        return page;
      },
    });
    const slow = await follow("/v1/events?after=0");
    slow.answer.pause();
    let before = -1;
    while (read !== before) {
      before = read;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // The kernel's socket buffers take some; the rest stays where it is.
    expect(read).toBeLessThan(20_000);
    slow.answer.resume();
    await expect.poll(() => slow.ids().length, { timeout: 5000 }).toBe(50_000);
  });

  it.each(["abc", "-1", "1e3"])("refuses the last id %s", async (id) => {
    expect((await follow("/v1/events", { "last-event-id": id })).status).toBe(400);
  });

  it("answers one page with follow=0", async () => {
    for (let i = 0; i < 5; i++) bench.feed.append(`t${i}`);
    const page = (await (await bench.request("GET", "/v1/events?follow=0&after=1&limit=2")).json()) as {
      seq: number;
    }[];
    expect(page.map((entry) => entry.seq)).toEqual([2, 3]);
  });
});

describe("GET /v1/jobs/{id}/events?follow=1", () => {
  const output = (seq: number) =>
    ({ seq, job: "01job", attempt: 1, atMs: AT_MS, type: "output", stream: "stdout", text: "x" }) as const;

  it("streams the log and ends with the job", async () => {
    bench.jobs.push(makeJob());
    bench.jobEvents.push(output(1), output(2), output(3));
    const live = await follow("/v1/jobs/01job/events?follow=1&after=1");
    await expect.poll(live.ended).toBe(true);
    expect(live.ids()).toEqual([2, 3]);
    const at = new Date(AT_MS).toISOString();
    expect(live.text()).toContain(
      `data: {"seq":2,"job":"01job","attempt":1,"type":"output","stream":"stdout","text":"x","at":"${at}"}\n\n`,
    );
    const resumed = await follow("/v1/jobs/01job/events?follow=1&after=1", { "last-event-id": "2" });
    await expect.poll(resumed.ended).toBe(true);
    expect(resumed.ids()).toEqual([3]);
  });

  it("says that there is no such job before it opens a stream", async () => {
    const refused = await follow("/v1/jobs/nope/events?follow=1");
    expect([refused.status, refused.answer.headers["content-type"]]).toEqual([404, "application/problem+json"]);
  });

  it("logs a stream that breaks", async () => {
    bench.jobs.push(makeJob());
    bench.fail("jobs.follow", new Error("disk on fire"));
    const live = await follow("/v1/jobs/01job/events?follow=1");
    await expect.poll(live.ended).toBe(true);
    expect(bench.logged.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual([
      "event stream failed",
    ]);
  });
});
