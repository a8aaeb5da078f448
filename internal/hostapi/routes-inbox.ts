import type { InboxActor } from "../job/index.ts";
import {
  answerItemSchema,
  inboxItemSchema,
  inboxPageSchema,
  inboxQuerySchema,
  readItemSchema,
  snoozeItemSchema,
} from "../protocol/index.ts";
import { resolveLane } from "./lane-ref.ts";
import { type Call, defineRoute, json, ok, type Route } from "./route.ts";
import { toApiItem } from "./to-api-inbox.ts";

const tag = "inbox";
const ITEMS_DEFAULT = 50;

/** What waits for people. */
export const INBOX_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/inbox",
    name: "listInbox",
    summary: "What waits for a person, newest first",
    tag,
    query: inboxQuerySchema,
    answers: [ok("A page of it", inboxPageSchema)],
    handle: ({ query }, { ports }) => {
      const { state = "open", kind, q: text, before, limit = ITEMS_DEFAULT } = query;
      const laneId = query.lane === undefined ? undefined : resolveLane(ports, query.lane, undefined).id;
      const bucket = state === "all" ? undefined : state;
      // One more tells whether there is another page.
      const found = ports.inbox.list({ bucket, kind, laneId, text, before, limit: limit + 1 });
      const shown = found.slice(0, limit);
      return json({
        items: shown.map((item) => toApiItem(ports, item)),
        next: found.length > limit ? (shown.at(-1)?.id ?? null) : null,
        open: ports.inbox.countOpen(),
      });
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/inbox/{id}",
    name: "showInboxItem",
    summary: "One item, by id or the unique beginning of it",
    tag,
    answers: [ok("The item", inboxItemSchema)],
    handle: ({ id }, { ports }) => json(toApiItem(ports, ports.inbox.get(id))),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/inbox/{id}/answer",
    name: "answerInboxItem",
    summary: "Answers an item, once; it is on the disk before the answer. The same answer again has no effect",
    tag,
    keyed: "together",
    body: answerItemSchema,
    answers: [ok("The item", inboxItemSchema)],
    handle: (call, { ports }) => json(toApiItem(ports, ports.inbox.answer(call.id, call.body.answer, actorOf(call)))),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/inbox/{id}/snooze",
    name: "snoozeInboxItem",
    summary: "Puts an item out of the way for a while",
    tag,
    keyed: "together",
    body: snoozeItemSchema,
    answers: [ok("The item", inboxItemSchema)],
    handle: ({ id, body }, { ports }) => json(toApiItem(ports, ports.inbox.snooze(id, body.forMs))),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/inbox/{id}/done",
    name: "closeInboxItem",
    summary: "Puts an item away without an answer; whoever asked is told so",
    tag,
    keyed: "together",
    answers: [ok("The item", inboxItemSchema)],
    handle: (call, { ports }) => json(toApiItem(ports, ports.inbox.done(call.id, actorOf(call)))),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/inbox/{id}/reopen",
    name: "reopenInboxItem",
    summary: "Brings back an item that was snoozed or put away",
    tag,
    keyed: "together",
    answers: [ok("The item", inboxItemSchema)],
    handle: ({ id }, { ports }) => json(toApiItem(ports, ports.inbox.reopen(id))),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/inbox/{id}/read",
    name: "readInboxItem",
    summary: "Notes that a person has seen an item, or that it counts as new; changes nothing else",
    tag,
    keyed: "together",
    body: readItemSchema,
    answers: [ok("The item", inboxItemSchema)],
    handle: ({ id, body }, { ports }) => json(toApiItem(ports, ports.inbox.markRead(id, body.read))),
  }),
];

/** The CLI comes over the unix socket, the page over TCP. */
function actorOf(call: Pick<Call<unknown, unknown>, "isLocal">): InboxActor {
  return call.isLocal ? "cli" : "page";
}
