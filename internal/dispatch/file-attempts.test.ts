import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { createRedactor } from "../base/index.ts";
import type { WorkerEvent } from "../job/index.ts";
import { createAttemptFiles } from "../store/index.ts";
import { spec } from "../store/testing.ts";
import type { FailureReport } from "./failure-report.ts";
import { type Bench, command, openBench, settle } from "./testing/bench.ts";

const SECRET = "sk-canary-0123456789";

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.[Symbol.asyncDispose]();
  bench = undefined;
});

/** A bench that keeps files, of which each life of the daemon knows only what is on the disk. */
function openFiled(): Bench {
  const redact = createRedactor([SECRET]);
  const found = openBench({
    redact,
    files: ({ store, folder, clock }) =>
      createAttemptFiles({
        dir: join(folder, "jobs"),
        jobs: store.jobs,
        nowMs: clock.nowMs,
        onError: (error) => {
          throw error;
        },
      }),
    findSpec: (laneId, generation) =>
      laneId === "demo" && generation === 1
        ? {
            ...spec,
            env: { TZ: "UTC", APP: "a-value" },
            agents: [
              { agent: "a", version: "1", hostPath: "/opt/a", target: "/lane/a", program: "/lane/a/p", sha256: "" },
            ],
          }
        : null,
  });
  bench = found;
  return found;
}

const read = (on: Bench, job: string, name: string) => readFileSync(join(on.folder, "jobs", job, name), "utf8");

/** A job that has printed a secret in two halves and one in its stderr, and then failed. */
async function failOne(on: Bench): Promise<string> {
  const { job } = on.dispatcher.submit({ laneId: "demo", spec: command({ argv: ["login", `--token=${SECRET}`] }) });
  if (!on.lane.link()) on.lane.open();
  await settle();
  on.lane.begin(job.id);
  on.lane.emit(job.id, [
    { type: "output", stream: "stdout", text: `one ${SECRET.slice(0, 7)}` },
    { type: "output", stream: "stdout", text: `${SECRET.slice(7)} two\n` },
    { type: "output", stream: "stderr", base64: Buffer.from(`\xff${SECRET}`, "latin1").toString("base64") },
  ]);
  on.lane.finish(job.id, {
    kind: "exited",
    result: { exitCode: 3, signal: null, stderrTail: `bad ${SECRET}`, truncated: false },
  });
  await settle();
  return job.id;
}

it("files every event of an attempt and why it failed, without secrets and values", async () => {
  const on = openFiled();
  const id = await failOne(on);
  const stream = read(on, id, "1.ndjson");
  const report = read(on, id, "1.failure.json");
  for (const file of [stream, report]) {
    expect(file).toContain("[redacted]");
    expect(file).not.toContain(SECRET);
  }
  const events = stream
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as WorkerEvent);
  expect(events.map(({ type }) => type)).toEqual(["started", "output", "output", "output", "finished"]);
  expect(stream).not.toContain(SECRET.slice(7));
  const bytes = events.flatMap((event) => (event.type === "output" && "base64" in event ? [event.base64] : []));
  expect(bytes.map((base64) => Buffer.from(base64, "base64").toString("latin1"))).toEqual(["\xff[redacted]"]);
  expect(report).not.toContain("a-value");
  expect(JSON.parse(report)).toMatchObject({
    job: id,
    attempt: 1,
    phase: "failed",
    lane: "demo",
    generation: 1,
    error: { code: "exit", message: "exit code 3" },
    exitCode: 3,
    signal: null,
    stderrTail: "bad [redacted]",
    argv: ["login", "--token=[redacted]"],
    image: spec.image.id,
    mounts: [
      { source: "v", target: "/lane/state", readOnly: false },
      { source: "/opt/a", target: "/lane/a", readOnly: true },
    ],
    env: ["APP", "TZ"],
  } satisfies Partial<FailureReport>);
});

it("writes what a crash kept from being written when it starts again", async () => {
  const on = openFiled();
  const id = await failOne(on);
  const before = [read(on, id, "1.ndjson"), read(on, id, "1.failure.json")];
  for (let i = 0; i < 150; i++) on.dispatcher.submit({ laneId: "demo", spec: command() });
  rmSync(join(on.folder, "jobs"), { recursive: true });
  on.restart();
  expect([read(on, id, "1.ndjson"), read(on, id, "1.failure.json")]).toEqual(before);
});

it("files each attempt apart, a lost one with a report, one that succeeded without, and none of a removed lane", async () => {
  const on = openFiled();
  const { job } = on.dispatcher.submit({ laneId: "demo", spec: command({ retry: "on_lost" }) });
  on.lane.open();
  await settle();
  on.lane.begin(job.id);
  await settle();
  on.lane.cut();
  on.lane.wipe();
  on.lane.generation = 2;
  on.lane.open();
  await settle();
  on.lane.begin(job.id, 2);
  on.lane.exit(job.id, 0, 2);
  await settle();
  expect(on.dispatcher.findJob(job.id).state).toMatchObject({ phase: "succeeded", attempt: 2 });
  expect(readdirSync(join(on.folder, "jobs", job.id)).sort()).toEqual(["1.failure.json", "1.ndjson", "2.ndjson"]);
  expect(JSON.parse(read(on, job.id, "1.failure.json"))).toMatchObject({ phase: "lost", exitCode: null });
  on.dispatcher.onLaneRemoved("demo");
  expect(readdirSync(join(on.folder, "jobs"))).toEqual([]);
});
