import { afterEach, beforeEach, expect, it } from "vitest";
import { type InboxBench, openInboxBench } from "../inbox/testing.ts";
import { inboxItemSchema, inboxPageSchema } from "../protocol/index.ts";
import { type Bench, makeBench } from "./testing.ts";
import { makeLane } from "./testing-values.ts";

let inbox: InboxBench;
let bench: Bench;
beforeEach(() => {
  inbox = openInboxBench();
  bench = makeBench({ inbox: { ...inbox.inbox, jobOf: () => null } });
  bench.lanes.push(makeLane({ id: "demo", name: "shop" }));
});
afterEach(() => inbox[Symbol.dispose]());

async function send(method: string, path: string, body?: unknown) {
  const response = await bench.request(method, path, body);
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

it("shows pages of what is open, and one item", async () => {
  const asked = ["a", "b", "c"].map((question) => inbox.ask(question, { choices: ["x"], default: "x" }));
  const first = inboxPageSchema.parse((await send("GET", "/v1/inbox?limit=2")).json);
  expect([first.items.map(({ title }) => title), first.open, first.next]).toEqual([["c", "b"], 3, asked[1]?.id]);
  const rest = inboxPageSchema.parse((await send("GET", `/v1/inbox?limit=2&before=${first.next}`)).json);
  expect([rest.items.map(({ title }) => title), rest.next]).toEqual([["a"], null]);
  const item = inboxItemSchema.parse((await send("GET", `/v1/inbox/${asked[0]?.id}`)).json);
  expect(item).toMatchObject({
    kind: "question",
    lane: "demo",
    laneName: "shop",
    job: "j1",
    default: "x",
    state: "open",
  });
  expect(item.delivered).toBeNull();
  expect((await send("GET", "/v1/inbox?lane=shop&kind=question&state=all")).json.open).toBe(3);
  expect((await send("GET", "/v1/inbox?state=answered")).status).toBe(400);
});

it("answers over the CLI's socket as cli, over TCP as the page, once", async () => {
  const { id } = inbox.ask("a");
  const answered = await send("POST", `/v1/inbox/${id}/answer`, { answer: "yes" });
  expect(answered.json).toMatchObject({ state: "answered", answer: "yes", by: "cli", delivered: false });
  expect((await send("POST", `/v1/inbox/${id}/answer`, { answer: "yes" })).status).toBe(200);
  const second = await send("POST", `/v1/inbox/${id}/answer`, { answer: "no" });
  expect([second.status, second.json.code, second.json.detail]).toEqual([
    409,
    "inbox.answered",
    expect.stringMatching(/^item .* was answered by cli at 20/),
  ]);
  const other = inbox.ask("b");
  const body = JSON.stringify({ answer: "yes" });
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body };
  const overTcp = await bench.api.app.request(`/v1/inbox/${other.id}/answer`, init, {
    via: { kind: "tcp", access: "api" },
  });
  expect(await overTcp.json()).toMatchObject({ by: "page" });
});

it("notes what was read, also after a restart, and changes nothing else", async () => {
  const { id } = inbox.ask("a");
  const mark = async (read: boolean) => (await send("POST", `/v1/inbox/${id}/read`, { read })).json;
  expect((await send("GET", `/v1/inbox/${id}`)).json).toMatchObject({ read: false });
  const { changedAt } = (await send("GET", `/v1/inbox/${id}`)).json;
  expect(await mark(true)).toMatchObject({ read: true, state: "open", changedAt });
  const entries = inbox.store.feed.latest();
  expect(await mark(true)).toMatchObject({ read: true });
  expect(inbox.store.feed.latest()).toBe(entries);
  expect((await send("POST", `/v1/inbox/${id}/read`, {})).status).toBe(400);
  expect(await mark(false)).toMatchObject({ read: false });
  await mark(true);
  inbox.kill();
  expect(inbox.inbox.get(id).isRead).toBe(true);
});

it("finds items by a part of their title or body, and takes it for nothing but text", async () => {
  inbox.ask("Which schema?", { body: "100% of _it_" });
  inbox.ask("Another");
  const found = async (q: string) =>
    inboxPageSchema
      .parse((await send("GET", `/v1/inbox?q=${encodeURIComponent(q)}`)).json)
      .items.map((one) => one.title);
  expect(await found("SCHEMA")).toEqual(["Which schema?"]);
  expect(await found("0% of _")).toEqual(["Which schema?"]);
  expect([await found("%"), await found("choices"), await found("'")]).toEqual([["Which schema?"], [], []]);
});

it("snoozes, puts away, brings back", async () => {
  const { id } = inbox.ask("a");
  const states = [];
  for (const [act, body] of [["snooze", { forMs: 60_000 }], ["reopen"], ["done"], ["done"]] as const) {
    states.push((await send("POST", `/v1/inbox/${id}/${act}`, body)).json.state);
  }
  expect(states).toEqual(["snoozed", "open", "done", "done"]);
  expect((await send("POST", `/v1/inbox/${id}/answer`, { answer: "x" })).json.code).toBe("inbox.expired");
  expect((await send("POST", "/v1/inbox/nothing/done")).status).toBe(404);
  expect((await send("POST", `/v1/inbox/${id}/snooze`, { forMs: 1 })).status).toBe(400);
});
