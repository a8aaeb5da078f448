import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { type Bench, makeBench } from "./testing.ts";
import { callRoute as call } from "./testing-call.ts";
import { AT_MS, makeJob } from "./testing-values.ts";

const LANE = "demo-1111111111";
const JOB = "01jobjobjobjobjobjobjobjob";
const iso = new Date(AT_MS).toISOString();

describe("jobs", () => {
  const body = { kind: "command", argv: ["true"] };
  const submit = (bench: Bench, key?: string, more: object = {}) =>
    call(
      bench,
      "POST",
      "/v1/lanes/demo/jobs",
      { ...body, ...more },
      key === undefined ? {} : { "idempotency-key": key },
    );

  it("takes its key from the header or the body; a known key answers 200 with the first job", async () => {
    const bench = makeBench();
    const first = await submit(bench, "k");
    const again = await submit(bench, undefined, { key: "k" });
    expect([first.status, again.status, bench.jobs.length]).toEqual([201, 200, 1]);
    expect((again.json as { id: string }).id).toBe((first.json as { id: string }).id);
    expect((await submit(bench, "k", { key: "k" })).status).toBe(200);
    expect((await submit(bench, "k", { key: "other" })).status).toBe(400);
    expect((await submit(bench, "k".repeat(129))).status).toBe(400);
    bench.fail("jobs.submit", new AppError({ code: "request.key_conflict", message: "another body" }));
    expect((await submit(bench, "k")).status).toBe(422);
  });

  it("submits prompts", async () => {
    const bench = makeBench();
    await call(bench, "POST", "/v1/lanes/demo/jobs", {
      kind: "prompt",
      prompt: "do it",
      deadlineMs: 5,
      priority: 2,
      retry: "on_lost",
    });
    expect(bench.calls).toEqual([
      [
        "jobs.submit",
        LANE,
        {
          work: { kind: "prompt", prompt: "do it", agent: null, session: "new" },
          key: null,
          deadlineMs: 5,
          priority: 2,
          retry: "on_lost",
        },
      ],
    ]);
  });

  it("shows how a job stands", async () => {
    const bench = makeBench();
    const result = { exitCode: 3, signal: null, stderrTail: "boom", truncated: true };
    const error = { code: "exit", message: "exit code 3" };
    bench.jobs.push(
      makeJob({ startedAtMs: AT_MS, endedAtMs: AT_MS, laneId: "gone" }, { phase: "failed", attempt: 1, result, error }),
    );
    expect((await call(bench, "GET", `/v1/jobs/${JOB}`)).json).toMatchObject({
      laneName: "gone",
      state: "failed",
      exitCode: 3,
      truncated: true,
      error: { code: "exit", message: "exit code 3", stderrTail: "boom" },
      endedAt: iso,
    });
    bench.jobs[0] = makeJob({}, { phase: "running", attempt: 1, generation: 1, reachable: false, cancelling: false });
    expect((await call(bench, "GET", `/v1/jobs/${JOB}`)).json).toMatchObject({
      laneName: "demo",
      detail: "its worker is out of reach",
      waiting: null,
    });
  });

  it("shows where the files of the latest attempt are", async () => {
    const bench = makeBench();
    bench.jobs.push(makeJob({}, { phase: "lost", attempt: 2, error: { code: "spool_lost", message: "gone" } }));
    const { json } = await call(bench, "GET", `/v1/jobs/${JOB}`);
    expect(json).toMatchObject({ files: { stream: `/state/jobs/${JOB}/2.ndjson`, failure: null } });
  });

  it("shows when a running job last got on, and that it does not any more", async () => {
    const bench = makeBench();
    bench.jobs.push(makeJob({}, { phase: "running", attempt: 1, generation: 1, reachable: true, cancelling: false }));
    const show = async () => (await call(bench, "GET", `/v1/jobs/${JOB}`)).json;
    expect(await show()).toMatchObject({ detail: null, lastProgressAt: null, stuck: false });
    bench.progress.set(JOB, { lastAtMs: AT_MS, stuckForMs: null });
    expect(await show()).toMatchObject({ detail: null, lastProgressAt: iso, stuck: false });
    bench.progress.set(JOB, { lastAtMs: AT_MS, stuckForMs: 720_000 });
    expect(await show()).toMatchObject({ detail: "no progress for 12m", lastProgressAt: iso, stuck: true });
  });

  it("shows what a queued job waits for", async () => {
    const bench = makeBench();
    bench.jobs.push(makeJob());
    bench.waiting.set(JOB, "memory");
    const waiting = expect.objectContaining({ state: "queued", waiting: "memory" });
    expect((await call(bench, "GET", `/v1/jobs/${JOB}`)).json).toEqual(waiting);
    expect((await call(bench, "GET", "/v1/jobs")).json).toEqual([waiting]);
    expect((await call(bench, "GET", "/v1/lanes/demo/jobs")).json).toEqual([waiting]);
  });
});
