import { AppError } from "../base/index.ts";
import {
  API_VERSION,
  feedEntrySchema,
  feedQuerySchema,
  healthSchema,
  readinessSchema,
  shutdownSchema,
  statusSchema,
} from "../protocol/index.ts";
import { followFeed } from "./follow-feed.ts";
import { lastEventId } from "./last-event-id.ts";
import { type Call, defineRoute, json, ok, type Reply, type Route, type RouteDeps } from "./route.ts";
import { sseMessage, sseStream } from "./sse.ts";
import { toApiFeedEntry } from "./to-api.ts";

const tag = "daemon";
const PAGE_DEFAULT = 1000;

/** The daemon itself, and what happens in it. */
export const SYSTEM_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/events",
    name: "events",
    summary:
      "What happens in this installation, as server-sent events: after `Last-Event-ID` or `after`, else from now; " +
      "a `gap` event says that entries are gone. With `follow=0` a page of what is stored",
    tag,
    query: feedQuerySchema,
    answers: [
      { status: 200, description: "Entries as they come", contentType: "text/event-stream", schema: feedEntrySchema },
      ok("With `follow=0`: a page of entries", feedEntrySchema.array()),
    ],
    handle: feed,
  }),
  defineRoute({
    method: "GET",
    path: "/v1/status",
    name: "status",
    summary: "The daemon, its engine and its image",
    tag,
    answers: [ok("The status", statusSchema)],
    handle: async ({ signal }, { ports }) => json(await ports.status.status({ signal })),
  }),
  defineRoute({
    method: "POST",
    path: "/v1/shutdown",
    name: "shutdown",
    keyed: "never",
    summary: "Stops the daemon, over the unix socket only; lanes keep running",
    tag,
    answers: [{ status: 202, description: "It is stopping", schema: shutdownSchema }],
    handle: ({ isLocal }, { ports }) => {
      if (!isLocal) {
        throw new AppError({
          code: "request.forbidden",
          message: "the daemon is stopped over its unix socket only",
          hint: "run: lane down",
        });
      }
      ports.status.shutdown();
      return json({ stopping: true, pid: process.pid }, 202);
    },
  }),
  defineRoute({
    method: "GET",
    path: "/healthz",
    name: "health",
    summary: "The process runs",
    tag,
    answers: [ok("It does", healthSchema)],
    handle: (_, { version }) => json({ ok: true, version, api: API_VERSION }),
  }),
  defineRoute({
    method: "GET",
    path: "/readyz",
    name: "readiness",
    summary: "The daemon can do its work",
    tag,
    answers: [ok("It can", readinessSchema), { status: 503, description: "Not yet", schema: readinessSchema }],
    handle: async (_, { ports }) => {
      const checks = await ports.status.readiness();
      const ready = Object.values(checks).every(Boolean);
      return json({ ready, checks }, ready ? 200 : 503);
    },
  }),
  defineRoute({
    method: "GET",
    path: "/metrics",
    name: "metrics",
    summary: "What the daemon counts, in Prometheus' text exposition",
    tag,
    answers: [{ status: 200, description: "The metrics", contentType: "text/plain" }],
    handle: async (_, { metrics }) => ({
      kind: "text",
      contentType: metrics.contentType,
      text: await metrics.render(),
    }),
  }),
  defineRoute({
    method: "GET",
    path: "/openapi.json",
    name: "openApi",
    summary: "This description",
    tag,
    answers: [{ status: 200, description: "OpenAPI 3.1" }],
    handle: (_, { openApi }) => ({ kind: "text", contentType: "application/json", text: openApi() }),
  }),
];

type FeedQuery = { after?: number | undefined; limit?: number | undefined; follow?: boolean | undefined };

function feed(call: Call<undefined, FeedQuery>, deps: RouteDeps): Reply {
  const { feed: source } = deps.ports;
  const asked = lastEventId(call) ?? call.query.after;
  if (call.query.follow === false) {
    return json(source.readAfter(asked ?? 0, call.query.limit ?? PAGE_DEFAULT).map(toApiFeedEntry));
  }
  const after = asked ?? source.latest();
  async function* messages(signal: AbortSignal): AsyncGenerator<string> {
    for await (const step of followFeed(source, after, signal)) {
      yield step.kind === "entry"
        ? sseMessage({ id: step.entry.seq, data: toApiFeedEntry(step.entry) })
        : sseMessage({ id: step.gap.to, event: "gap", data: step.gap });
    }
  }
  const onError = (err: Error) => deps.log.error({ op: "followFeed", err }, "event stream failed");
  return { kind: "stream", stream: sseStream({ messages, clock: deps.clock, stopping: deps.stopping, onError }) };
}
