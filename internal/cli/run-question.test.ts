import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApiJobEvent } from "../protocol/index.ts";
import {
  runLane,
  type ScriptedDaemon,
  sampleEvent,
  sampleItem,
  sampleJob,
  sendEvents,
  startScriptedDaemon,
} from "./testing.ts";

const JOB = sampleJob({ kind: "prompt", argv: null, prompt: "do it", agent: "claude" });
const JOB_PATH = `/v1/jobs/${JOB.id}`;
const ITEM = sampleItem({ title: "Which schema?", choices: ["first", "second"] });
const WAITING = { ...JOB, state: "awaiting_answer", question: ITEM.id, exitCode: null };

let daemon: ScriptedDaemon;
beforeEach(async () => {
  daemon = await startScriptedDaemon({
    "POST /v1/lanes/fix/jobs": () => ({ status: 201, body: { ...JOB, state: "queued" } }),
    [`GET /v1/inbox/${ITEM.id}`]: () => ({ body: ITEM }),
  });
});
afterEach(() => daemon[Symbol.asyncDispose]());

const phase = (seq: number, name: string, attempt = 1): ApiJobEvent => ({
  ...sampleEvent(seq, { type: "state", phase: name, detail: null }),
  attempt,
});
const text = (seq: number, words: string, attempt: number): ApiJobEvent => ({
  ...sampleEvent(seq, { type: "text", text: words, partial: false }),
  attempt,
});
/** The stream of a job that waits says nothing more, and stays open; that of one that has ended is closed. */
function script(events: readonly ApiJobEvent[], job: typeof JOB): void {
  daemon.route(`GET ${JOB_PATH}/events`, ({ path }, answer) => {
    const after = Number(new URL(path, "http://x").searchParams.get("after"));
    const left = events.filter(({ seq }) => seq > after);
    return sendEvents(answer, left, { end: job.state !== "awaiting_answer" });
  });
  daemon.route(`GET ${JOB_PATH}`, () => ({ body: job }));
}

const lane = (...argv: readonly string[]) => runLane(argv, { socket: daemon.socket });

describe("a job that waits for an answer", () => {
  it("ends lane run with 8, the question, and how to answer it", async () => {
    script([phase(1, "running"), text(2, "hm", 1), phase(3, "awaiting_answer")], WAITING);
    const end = await lane("run", "fix", "do it");
    expect(end).toMatchObject({ code: 8, stdout: "hm\n" });
    for (const part of ["Which schema?", "1) first", "2) second", `lane answer ${ITEM.id}`])
      expect(end.stderr).toContain(part);
  });

  it("ends lane job wait with 8, and its JSON has the question", async () => {
    script([phase(1, "awaiting_answer")], WAITING);
    const end = await lane("job", "wait", JOB.id);
    expect(end).toMatchObject({ code: 8, stdout: `job ${JOB.id} awaiting_answer\n` });
    expect(end.stderr).toContain(`lane answer ${ITEM.id}`);
    const json = await lane("job", "wait", JOB.id, "--json");
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([8, { question: ITEM.id, state: "awaiting_answer" }]);
  });

  it("that was answered in the meantime is followed to its end, and nothing of its log is left out", async () => {
    const events = [phase(1, "awaiting_answer"), phase(2, "queued"), text(3, "on", 2), phase(4, "succeeded", 2)];
    script(events, { ...JOB, attempt: 2 });
    expect(await lane("run", "fix", "do it")).toMatchObject({ code: 0, stdout: "on\n", stderr: "" });
  });

  it("again is left only once all has been shown that came before", async () => {
    const events = [phase(1, "awaiting_answer"), text(2, "on", 2), phase(3, "awaiting_answer", 2)];
    script(events, { ...WAITING, attempt: 2 });
    expect(await lane("run", "fix", "do it")).toMatchObject({ code: 8, stdout: "on\n" });
  });
});
