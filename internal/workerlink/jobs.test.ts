import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, createHostRecord, linkTo, outputOf, script } from "../../test/support/lane-link.ts";
import {
  bundleWorker,
  startWorkerProcess,
  type WorkerBundle,
  type WorkerProcess,
} from "../../test/support/worker-process.ts";

const HASH = "cd".repeat(32);
let bundle: WorkerBundle;
let worker: WorkerProcess;
const record = createHostRecord();

beforeAll(async () => {
  bundle = await bundleWorker();
  worker = await startWorkerProcess({ bundle: bundle.path, ladder: [150, 150] });
});
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  bundle?.[Symbol.dispose]();
});

/** Runs one job to its end over a link of its own. */
async function run(job: string, work: ReturnType<typeof command>) {
  const link = await linkTo(worker, record);
  const report = await link.start(job, 1, HASH, work, {});
  const outcome = await record.finished(`${job}/1`);
  link.close("done");
  return { report, outcome, events: record.events(`${job}/1`) };
}

describe("command jobs on a real worker", () => {
  it("runs `true`: accepted, started, finished, numbered from 1", async () => {
    const { report, outcome, events } = await run("true", command(["true"]));
    expect(report).toMatchObject({ job: "true", attempt: 1, bodyHash: HASH, state: "accepted", lastSeq: 0 });
    expect(events.map(({ seq, type }) => [seq, type])).toEqual([
      [1, "started"],
      [2, "finished"],
    ]);
    expect(outcome).toEqual({
      kind: "exited",
      result: { exitCode: 0, signal: null, stderrTail: "", truncated: false },
    });
  });

  it("waits for no output once the streams have ended", async () => {
    const link = await linkTo(worker, record);
    const timesMs: number[] = [];
    for (const job of ["quick-1", "quick-2", "quick-3", "quick-4"]) {
      const startedAtMs = performance.now();
      await link.start(job, 1, HASH, command(["true"]), {});
      await record.finished(`${job}/1`);
      timesMs.push(performance.now() - startedAtMs);
    }
    // About 7 ms on a quiet machine; 250 and more when the end of the streams is missed.
    expect(Math.min(...timesMs)).toBeLessThan(200);
    link.close("done");
  });

  it("passes exit codes and signals through", async () => {
    expect((await run("exit7", script("exit 7"))).outcome).toMatchObject({ kind: "exited", result: { exitCode: 7 } });
    expect((await run("kill9", script("kill -9 $$"))).outcome).toMatchObject({
      kind: "exited",
      result: { exitCode: null, signal: "SIGKILL" },
    });
  });

  it("ends as a shell would when the program is absent (127) or not executable (126)", async () => {
    const absent = await run("absent", command(["no-such-program-here"]));
    expect(absent.outcome).toMatchObject({ kind: "exited", result: { exitCode: 127 } });
    expect(outputOf(absent.events, "stderr").toString()).toContain("not found");
    expect((await run("noexec", command(["/etc/passwd"]))).outcome).toMatchObject({
      kind: "exited",
      result: { exitCode: 126 },
    });
  });

  it("fails visibly when the working directory is not there", async () => {
    const { outcome } = await run("cwd", command(["true"], { cwd: "/no/such/folder" }));
    expect(outcome).toMatchObject({ kind: "failed", error: { code: "start_failed" } });
  });

  it("streams both outputs, keeps what is not UTF-8, and takes stdin", async () => {
    const text = await run("cat", command(["cat"], { stdin: "grüße 🌍\n" }));
    expect(outputOf(text.events, "stdout").toString()).toBe("grüße 🌍\n");
    const raw = await run("raw", script("printf '\\377\\000\\200x'; echo error >&2; exit 3"));
    expect(outputOf(raw.events, "stdout")).toEqual(Buffer.from([0xff, 0, 0x80, 0x78]));
    expect(raw.events.some((event) => event.type === "output" && "base64" in event)).toBe(true);
    expect(raw.outcome).toMatchObject({ result: { exitCode: 3, stderrTail: "error\n" } });
  });

  it("lets programs open their standard streams by name", async () => {
    const text = "cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr; echo more | tee /dev/stderr";
    const { events } = await run("by-name", script(text, { stdin: "in\n" }));
    expect(outputOf(events, "stdout").toString()).toBe("in\nout\nmore\n");
    expect(outputOf(events, "stderr").toString()).toBe("err\nmore\n");
  });

  it("gives a job the environment of the container, with the agent's own identity", async () => {
    const { events } = await run("env", command(["env"], { env: { GREETING: "hi", LD_LIBRARY_PATH: "/x" } }));
    const env = new Map(
      outputOf(events, "stdout")
        .toString()
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    expect(env.get("GREETING")).toBe("hi");
    expect(env.get("LD_LIBRARY_PATH")).toBe("/x");
    expect(env.get("LANEKEEPER_JOB")).toBe("env/1");
    expect(env.get("HOME")).toBe(`${worker.stateDir}/home`);
    expect(env.get("INBOX_API_URL")).toBe(worker.relayUrl);
    expect(env.get("PATH")).toBe(process.env.PATH);
    for (const workersOwn of ["SHLVL", "OLDPWD", "TERM", "_"]) expect(env.has(workersOwn)).toBe(false);
  });

  it("cuts output at the cap with one gap, and says so", async () => {
    const { outcome, events } = await run(
      "flood",
      script("yes 0123456789 | head -c 3000000", { outputCapBytes: 100_000 }),
    );
    expect(outputOf(events, "stdout").length).toBe(100_000);
    expect(events.filter(({ type }) => type === "gap")).toEqual([
      expect.objectContaining({ bytes: 3_000_000 - 100_000 }),
    ]);
    expect(outcome).toMatchObject({ kind: "exited", result: { exitCode: 0, truncated: true } });
  });

  it("finishes soon though a background child holds the output open", async () => {
    const startedAtMs = performance.now();
    const { outcome, events } = await run("background", script("sleep 30 & echo $!"));
    expect(outcome).toMatchObject({ kind: "exited", result: { exitCode: 0 } });
    expect(performance.now() - startedAtMs).toBeLessThan(1500);
    process.kill(Number(outputOf(events, "stdout").toString()), "SIGKILL");
  });

  it("stops at the deadline", async () => {
    const { outcome } = await run("deadline", script("sleep 30", { deadlineMs: 100 }));
    expect(outcome).toMatchObject({ kind: "failed", error: { code: "deadline" } });
  });

  it("refuses what cannot be run", async () => {
    const link = await linkTo(worker, record);
    const start = (more: object) => link.start("bad", 1, HASH, command(["true"], more), {});
    await expect(start({ env: { "A B": "x" } })).rejects.toMatchObject({ details: { code: "invalid_work" } });
    await expect(start({ cwd: "relative" })).rejects.toMatchObject({ details: { code: "invalid_work" } });
    await expect(start({ stdin: "x".repeat(1 << 20) })).rejects.toMatchObject({ code: "request.too_large" });
    link.close("done");
  });
});

describe("idempotence", () => {
  it("starts an attempt once, however often it is asked", async () => {
    const link = await linkTo(worker, record);
    const work = script("echo ran >> $OUT", { env: { OUT: `${worker.stateDir}/home/once.txt` } });
    const reports = await Promise.all([1, 2, 3, 4].map(() => link.start("once", 1, HASH, work, {})));
    expect(new Set(reports.map(({ job, attempt }) => `${job}/${attempt}`))).toEqual(new Set(["once/1"]));
    await record.finished("once/1");
    const again = await link.start("once", 1, HASH, work, {});
    expect(again).toMatchObject({ state: "finished", lastSeq: 2 });
    const { events } = await run("once-check", command(["cat", `${worker.stateDir}/home/once.txt`]));
    expect(outputOf(events, "stdout").toString()).toBe("ran\n");
    link.close("done");
  });

  it("refuses another body, an older generation and an unknown cancel", async () => {
    const link = await linkTo(worker, record);
    await link.start("body", 1, HASH, command(["true"]), {});
    await expect(link.start("body", 1, "ef".repeat(32), command(["true"]), {})).rejects.toMatchObject({
      code: "worker.refused",
      details: { code: "body_mismatch" },
    });
    await expect(link.cancel("nobody", 1, {})).rejects.toMatchObject({ details: { code: "unknown_attempt" } });
    link.close("done");
  });
});

describe("cancel", () => {
  it("ends a job that ignores INT and TERM and has left its group, and leaves nothing", async () => {
    const link = await linkTo(worker, record);
    // Double-forked into a session of its own: neither its group nor its parents lead back to the job.
    const orphan = 'trap "" INT TERM; (sleep 61; sleep 61) & echo $!; wait';
    const stubborn = script(`trap '' INT TERM; sh -c 'setsid sh -c "$ORPHAN" &'; sleep 62; sleep 62`, {
      env: { ORPHAN: orphan },
    });
    await link.start("stubborn", 1, HASH, stubborn, {});
    const first = await record.until("stubborn/1", ({ type }) => type === "output");
    const grandchild = first.type === "output" && "text" in first ? Number(first.text) : 0;
    expect(isAlive(grandchild)).toBe(true);
    await link.cancel("stubborn", 1, {});
    expect(await record.finished("stubborn/1")).toMatchObject({ kind: "cancelled" });
    expect(isAlive(grandchild)).toBe(false);
    const signals = record.events("stubborn/1").flatMap((event) => (event.type === "cancelling" ? [event.signal] : []));
    expect(signals).toEqual(["SIGINT", "SIGTERM", "SIGKILL"]);
    expect(await link.cancel("stubborn", 1, {})).toMatchObject({ state: "finished" });
    link.close("done");
  });

  it("asks a cooperative one just once", async () => {
    const link = await linkTo(worker, record);
    await link.start("polite", 1, HASH, script("sleep 60"), {});
    await record.until("polite/1", ({ type }) => type === "started");
    await link.cancel("polite", 1, {});
    expect(await record.finished("polite/1")).toMatchObject({ kind: "cancelled" });
    expect(record.events("polite/1").filter(({ type }) => type === "cancelling").length).toBe(1);
    link.close("done");
  });

  it("wins over a start it arrives with", async () => {
    const link = await linkTo(worker, record);
    const started = link.start("early", 1, HASH, script("sleep 60"), {});
    await link.cancel("early", 1, {});
    await started;
    expect(await record.finished("early/1")).toMatchObject({ kind: "cancelled" });
    link.close("done");
  });
});

/** Not there, or ended and only waiting for a parent that never looks. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
