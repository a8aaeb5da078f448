import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../base/index.ts";
import { createHostApi, type HostApiDeps } from "../../hostapi/index.ts";
import { createInbox, type Inbox } from "../../inbox/index.ts";
import { openStore, type Store } from "../../store/index.ts";
import { filledStore, snapshotOf, type TempFolder, tempFolder } from "../../store/testing.ts";

let folder: TempFolder;
let store: Store;
let inbox: Inbox;
let id: string;
/** What a daemon leaves behind that dies while an answer is being kept. */
let corpse: string;

beforeEach(() => {
  folder = tempFolder();
  store = filledStore(folder.path);
  inbox = openInbox();
  inbox.raise({ kind: "limit", subject: "s", occurrence: "1", laneId: null, jobId: null, title: "t", choices: ["go"] });
  id = inbox.list({ limit: 1 })[0]?.id ?? "";
});
afterEach(() => {
  inbox[Symbol.dispose]();
  store.close();
  folder[Symbol.dispose]();
});

function openInbox(): Inbox {
  const nothing = () => {};
  const told = { resume: nothing, logWord: nothing, onAnswered: nothing, onAccepted: nothing };
  const log = pino({ level: "silent" });
  return createInbox({ store, clock: systemClock, log, redact: (text) => text, acceptTasks: "ask", ...told });
}

async function post(act: string, body: unknown): Promise<{ readonly status: number; readonly json: unknown }> {
  const keys: HostApiDeps["keys"] = {
    ...store.requestKeys,
    put: (...answer) => {
      store.requestKeys.put(...answer);
      corpse = snapshotOf(store, folder.path);
    },
  };
  // Only what these routes touch.
  const ports = { inbox, lanes: { findLane: () => null } };
  const deps = { ports, keys, metrics: { answered: () => {} }, log: pino({ level: "silent" }), clock: systemClock };
  const { app } = createHostApi({ ...deps, token: "t", version: "1", stopping: new AbortController().signal } as never);
  const headers = { "content-type": "application/json", "idempotency-key": "k" };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await app.request(`/v1/inbox/${id}/${act}`, init, { via: { kind: "unix" } } as never);
  return { status: response.status, json: await response.json() };
}

it.each([
  ["answer", { answer: "go" }, "answered"],
  ["snooze", { forMs: 60_000 }, "snoozed"],
  ["done", {}, "done"],
  ["reopen", {}, "open"],
  ["read", { read: true }, "open"],
])("keeps the answer to %s in the commit of its effect", async (act, body, phase) => {
  if (act === "reopen") inbox.snooze(id, 60_000);
  const before = inbox.get(id);
  const first = await post(act, body);
  expect(first.status).toBe(200);
  expect(inbox.get(id).state.phase).toBe(phase);
  using dead = openStore({ path: corpse, nowMs: () => 1000 });
  expect(dead.items.find(id)).toEqual(before);
  expect(await post(act, body)).toEqual(first);
});
