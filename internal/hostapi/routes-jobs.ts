import { AppError } from "../base/index.ts";
import type { Job, JobSpec } from "../job/index.ts";
import {
  jobEventSchema,
  jobEventsQuerySchema,
  jobSchema,
  jobsQuerySchema,
  laneJobsQuerySchema,
  laneQuerySchema,
  type SubmitJob,
  submitJobSchema,
} from "../protocol/index.ts";
import { KEY_MAX } from "./keyed-runs.ts";
import { resolveLane } from "./lane-ref.ts";
import { lastEventId } from "./last-event-id.ts";
import type { HostApiPorts } from "./ports.ts";
import { type Call, defineRoute, json, ok, type Reply, type Route, type RouteDeps } from "./route.ts";
import { sseMessage, sseStream } from "./sse.ts";
import { toApiJob, toApiJobEvent } from "./to-api.ts";

const tag = "jobs";
const JOBS_DEFAULT = 50;
const EVENTS_DEFAULT = 1000;

/** Work. */
export const JOB_ROUTES: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/v1/lanes/{id}/jobs",
    name: "listLaneJobs",
    summary: "Jobs of a lane, newest first",
    tag,
    query: laneJobsQuerySchema,
    answers: [ok("The jobs", jobSchema.array())],
    handle: async ({ id, query }, { ports }) => {
      const lane = resolveLane(ports, id, query.workspace);
      const { before, limit = JOBS_DEFAULT } = query;
      return json(
        (await ports.jobs.listJobs({ laneId: lane.id, before, limit })).map((job) => shown(ports, job, lane.name)),
      );
    },
  }),
  defineRoute({
    method: "POST",
    path: "/v1/lanes/{id}/jobs",
    name: "submitJob",
    summary: "Submits work; it is on the disk before the answer. A known key answers with the first job",
    tag,
    query: laneQuerySchema,
    body: submitJobSchema,
    keyed: "own",
    answers: [
      { status: 201, description: "The new job", schema: jobSchema },
      ok("The job this key belongs to", jobSchema),
    ],
    handle: async (call, { ports }) => {
      const lane = resolveLane(ports, call.id, call.query.workspace);
      const spec = toJobSpec(call.body, call.header("idempotency-key"));
      const { job, created } = await ports.jobs.submit({ laneId: lane.id, spec });
      return json(shown(ports, job, lane.name), created ? 201 : 200);
    },
  }),
  defineRoute({
    method: "GET",
    path: "/v1/jobs",
    name: "listJobs",
    summary: "Jobs of all lanes, newest first",
    tag,
    query: jobsQuerySchema,
    answers: [ok("The jobs", jobSchema.array())],
    handle: async ({ query: { before, limit = JOBS_DEFAULT } }, { ports }) =>
      json((await ports.jobs.listJobs({ before, limit })).map((job) => named(ports, job))),
  }),
  defineRoute({
    method: "GET",
    path: "/v1/jobs/{id}",
    name: "showJob",
    summary: "One job, by id or the unique beginning of it",
    tag,
    answers: [ok("The job", jobSchema)],
    handle: async ({ id }, { ports }) => json(named(ports, await ports.jobs.findJob(id))),
  }),
  defineRoute({
    method: "GET",
    path: "/v1/jobs/{id}/events",
    name: "jobEvents",
    summary:
      "Events of a job after `after`: a page, or with `follow=1` a stream of server-sent events that ends with the job " +
      "and resumes by `Last-Event-ID`",
    tag,
    query: jobEventsQuerySchema,
    answers: [
      ok("A page of events", jobEventSchema.array()),
      { status: 200, description: "Events as they come", contentType: "text/event-stream", schema: jobEventSchema },
    ],
    handle: jobEvents,
  }),
  defineRoute({
    method: "POST",
    path: "/v1/jobs/{id}/cancel",
    name: "cancelJob",
    summary: "Cancels a job; one that has ended stays as it is",
    tag,
    answers: [ok("The job", jobSchema)],
    handle: async ({ id }, { ports }) => {
      const job = await ports.jobs.findJob(id);
      return json(named(ports, await ports.jobs.cancel(job.id)));
    },
  }),
  defineRoute({
    method: "POST",
    path: "/v1/jobs/{id}/withdraw",
    name: "withdrawJob",
    summary: "Cancels a job that is queued; one that has started is left alone, and that is a conflict",
    tag,
    answers: [ok("The job", jobSchema)],
    handle: async ({ id }, { ports }) => {
      const job = await ports.jobs.findJob(id);
      return json(named(ports, await ports.jobs.withdraw(job.id)));
    },
  }),
  defineRoute({
    method: "POST",
    path: "/v1/jobs/{id}/retry",
    name: "retryJob",
    summary: "Queues a failed, lost or cancelled job again, as a new attempt",
    tag,
    answers: [ok("The job", jobSchema)],
    handle: async ({ id }, { ports }) => {
      const job = await ports.jobs.findJob(id);
      return json(named(ports, await ports.jobs.retry(job.id)));
    },
  }),
];

type EventsQuery = { after?: number | undefined; limit?: number | undefined; follow?: boolean | undefined };

async function jobEvents(call: Call<undefined, EventsQuery>, deps: RouteDeps): Promise<Reply> {
  const { jobs } = deps.ports;
  const job = await jobs.findJob(call.id);
  const after = lastEventId(call) ?? call.query.after ?? 0;
  if (!call.query.follow) {
    const page = await jobs.readEvents(job.id, { after, limit: call.query.limit ?? EVENTS_DEFAULT });
    return json(page.map(toApiJobEvent));
  }
  async function* messages(signal: AbortSignal): AsyncGenerator<string> {
    for await (const event of jobs.follow(job.id, { after, signal })) {
      yield sseMessage({ id: event.seq, data: toApiJobEvent(event) });
    }
  }
  const onError = (err: Error) => deps.log.error({ op: "followJob", job: job.id, err }, "event stream failed");
  return { kind: "stream", stream: sseStream({ messages, clock: deps.clock, stopping: deps.stopping, onError }) };
}

function named(ports: HostApiPorts, job: Job) {
  return shown(ports, job, ports.lanes.findLane(job.laneId)?.name ?? job.laneId);
}

function shown({ jobs }: HostApiPorts, job: Job, laneName: string) {
  return toApiJob(job, laneName, {
    wait: jobs.waitingOf(job),
    files: jobs.filesOf(job),
    session: jobs.sessionOf(job),
    git: jobs.gitOf(job),
    summary: jobs.summaryOf(job),
    question: jobs.questionOf(job),
    progress: jobs.progressOf(job),
  });
}

function toJobSpec(body: SubmitJob, header: string | null): JobSpec {
  if (header !== null && (header === "" || header.length > KEY_MAX)) {
    throw new AppError({ code: "request.invalid", message: `Idempotency-Key must have 1 to ${KEY_MAX} characters` });
  }
  if (header !== null && body.key !== undefined && header !== body.key) {
    throw new AppError({
      code: "request.invalid",
      message: "Idempotency-Key and the body's key differ",
      hint: "send one of them",
    });
  }
  return {
    work:
      body.kind === "command"
        ? { kind: "command", argv: body.argv }
        : { kind: "prompt", prompt: body.prompt, agent: body.agent ?? null, session: body.session ?? "new" },
    key: header ?? body.key ?? null,
    deadlineMs: body.deadlineMs ?? null,
    priority: body.priority ?? 0,
    retry: body.retry ?? "never",
  };
}
