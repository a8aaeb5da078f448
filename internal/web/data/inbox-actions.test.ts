import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ApiInboxItem } from "../../protocol/index.ts";
import { type Api, ApiError } from "../api.ts";
import { createInboxActions } from "./inbox-actions.ts";
import type { InboxAction, InboxRow } from "./inbox-list.ts";
import type { Store } from "./store.ts";

const question = { id: "q", kind: "question" } as InboxRow;
const failed = { id: "f", kind: "failed" } as InboxRow;

/** The actions over a server that only writes down what it is asked for. */
function open(answer: (path: string) => unknown = () => ({})) {
  const page = new EventTarget();
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  const posted: string[] = [];
  const said: string[] = [];
  const changed: string[] = [];
  const api = {
    call: async (_: string, path: string, body: unknown) => {
      posted.push(`${path.replace("/v1/inbox/", "")} ${JSON.stringify(body)}`);
      const given = answer(path);
      if (given instanceof Error) throw given;
      return given;
    },
  } as unknown as Api;
  const store = {
    changeInbox: (action: InboxAction) => changed.push(action.type),
    refreshInbox: () => {},
    fetchItem: async () => ({ state: "answered", by: "cli", answer: "no" }) as ApiInboxItem,
  } as unknown as Store;
  const actions = createInboxActions({ api, store, say: (message) => said.push(message) });
  return { actions, posted, said, changed, page };
}

describe("what a person does with items", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("sends an answer once its five seconds are over, once", async () => {
    const { actions, posted } = open();
    actions.answer(question, "red");
    actions.answer(question, "blue");
    await vi.advanceTimersByTimeAsync(4900);
    expect(posted).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(posted).toEqual(['q/answer {"answer":"red"}']);
    expect(actions.undo()).toBe(false);
  });

  it("sends nothing of an answer that was taken back", async () => {
    const { actions, posted, changed } = open();
    actions.answer(question, "red");
    expect(actions.undo()).toBe(true);
    await vi.advanceTimersByTimeAsync(6000);
    expect(posted).toEqual([]);
    expect(changed).toEqual(["hide", "unhide"]);
  });

  it("sends what still waits when the page goes", () => {
    const { actions, posted, page } = open();
    actions.answer(question, "red");
    page.dispatchEvent(new Event("pagehide"));
    expect(posted).toEqual(['q/answer {"answer":"red"}']);
  });

  it("puts away at once what can be brought back, and after a while what cannot", async () => {
    const { actions, posted } = open();
    actions.done(failed);
    actions.done(question);
    expect(posted).toEqual(["f/done {}"]);
    await vi.advanceTimersByTimeAsync(5100);
    expect(posted).toEqual(["f/done {}", "q/done {}"]);
  });

  it("marks what was read, without bringing back what was just put away", async () => {
    const { actions, posted, changed } = open();
    actions.answer(question, "red");
    actions.markRead(question, true);
    await vi.advanceTimersByTimeAsync(10);
    expect(posted).toEqual(['q/read {"read":true}']);
    expect(changed).toEqual(["hide", "item"]);
  });

  it("undoes in the order in which things were done, also when the server is slow", async () => {
    const { actions, posted } = open();
    actions.snooze(failed, 1000);
    expect(actions.undo()).toBe(true);
    actions.done(failed);
    await vi.advanceTimersByTimeAsync(10);
    expect(posted.map((text) => text.split(" ", 1)[0])).toEqual(["f/snooze", "f/reopen", "f/done"]);
  });

  it("takes nothing back that has not been done", async () => {
    const { actions, posted } = open(() => new ApiError({ status: 409, code: "inbox.expired", message: "over" }));
    actions.snooze(failed, 1000);
    actions.undo();
    await vi.advanceTimersByTimeAsync(10);
    expect(posted).toEqual(['f/snooze {"forMs":1000}']);
  });

  it("says who was faster", async () => {
    const late = new ApiError({ status: 409, code: "inbox.answered", message: "answered" });
    const { actions, said } = open(() => late);
    actions.answer(question, "yes");
    await vi.advanceTimersByTimeAsync(5100);
    expect(said.at(-1)).toBe("Answered already on the command line: “no”");
  });
});
