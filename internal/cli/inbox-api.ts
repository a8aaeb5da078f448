import type { ApiInboxItem, ApiInboxPage, InboxQuery } from "../protocol/index.ts";
import type { Client } from "./client.ts";

/** The inbox's routes, one method each. Items are named by id or the unique beginning of it. */
export interface InboxApi {
  /** One page, newest first. */
  listInbox(query: InboxQuery): Promise<ApiInboxPage>;
  showItem(id: string): Promise<ApiInboxItem>;
  /** @throws inbox.answered, inbox.expired */
  answerItem(id: string, answer: string): Promise<ApiInboxItem>;
  snoozeItem(id: string, forMs: number): Promise<ApiInboxItem>;
  finishItem(id: string): Promise<ApiInboxItem>;
  reopenItem(id: string): Promise<ApiInboxItem>;
  /** Notes that a person has seen it. */
  readItem(id: string): Promise<ApiInboxItem>;
}

/** Words the inbox's routes over a client. */
export function createInboxApi(client: Client): InboxApi {
  const at = (id: string, rest = "") => `/v1/inbox/${encodeURIComponent(id)}${rest}`;
  const post = (id: string, act: string, body?: unknown) =>
    client.call(at(id, `/${act}`), (p) => p.inboxItemSchema, { method: "POST", body });
  return {
    listInbox: (query) => client.call("/v1/inbox", (p) => p.inboxPageSchema, { query }),
    showItem: (id) => client.call(at(id), (p) => p.inboxItemSchema),
    answerItem: (id, answer) => post(id, "answer", { answer }),
    snoozeItem: (id, forMs) => post(id, "snooze", { forMs }),
    finishItem: (id) => post(id, "done"),
    reopenItem: (id) => post(id, "reopen"),
    readItem: (id) => post(id, "read", { read: true }),
  };
}
