import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { command, createHostRecord, linkTo, outputOf, script } from "../../test/support/lane-link.ts";
import { bundleWorker, startWorkerProcess, type WorkerBundle } from "../../test/support/worker-process.ts";
import { bootstrapSchema } from "../protocol/index.ts";
import { parseBootstrap } from "./bootstrap.ts";
import { isHostAllowed } from "./host-header.ts";
import { splitEnv, whyEnvInvalid } from "./job-env.ts";

const HASH = "cd".repeat(32);
let bundle: WorkerBundle;
let stateDir: string;

beforeAll(async () => {
  bundle = await bundleWorker();
});
afterAll(() => bundle[Symbol.dispose]());
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "lane-state-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

describe("a worker that died", () => {
  it("leaves a job that ran as failed(interrupted), and never starts it again", async () => {
    const record = createHostRecord();
    const ledger = join(stateDir, "home", "ledger");
    const work = script(`echo ran >> ${ledger}; echo seen; exec sleep 60`);
    await using first = await startWorkerProcess({ bundle: bundle.path, stateDir });
    const link = await linkTo(first, record);
    const spool = link.spool;
    await link.start("j", 1, HASH, work, {});
    const started = await record.until("j/1", ({ type }) => type === "started");
    await record.until("j/1", ({ type }) => type === "output");
    first.kill("SIGKILL");
    await first.exited;
    // In a container everything dies with the worker; here somebody has to do it.
    if (started.type === "started") process.kill(started.pid, "SIGKILL");

    await using second = await startWorkerProcess({ bundle: bundle.path, stateDir, generation: 2 });
    const again = await linkTo(second, record);
    expect(again.spool).toBe(spool);
    expect(again.boot).not.toBe(link.boot);
    expect(again.attempts).toMatchObject([{ job: "j", attempt: 1, state: "finished", lastSeq: 3 }]);
    expect(await record.finished("j/1")).toMatchObject({ kind: "failed", error: { code: "interrupted" } });
    expect(record.events("j/1").map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(await again.start("j", 1, HASH, work, {})).toMatchObject({ state: "finished" });
    await again.start("count", 1, HASH, command(["cat", ledger]), {});
    await record.finished("count/1");
    expect(outputOf(record.events("count/1"), "stdout").toString()).toBe("ran\n");
    again.close("done");
  });

  it("runs what it had accepted and not started only when the host asks again", async () => {
    const dir = join(stateDir, "spool", "j.1");
    mkdirSync(dir, { recursive: true });
    const accepted = { job: "j", attempt: 1, bodyHash: HASH, generation: 1, atMs: 1 };
    writeFileSync(join(dir, "accepted.json"), JSON.stringify(accepted));
    const record = createHostRecord();
    await using worker = await startWorkerProcess({ bundle: bundle.path, stateDir, generation: 2 });
    const link = await linkTo(worker, record);
    expect(link.attempts).toMatchObject([{ job: "j", state: "accepted" }]);
    await link.ping({});
    expect(existsSync(join(dir, "marker"))).toBe(false);
    await link.start("j", 1, HASH, script("echo now"), {});
    expect(await record.finished("j/1")).toMatchObject({ kind: "exited" });
    expect(existsSync(join(dir, "marker"))).toBe(true);
    link.close("done");
  });
});

describe("SIGTERM", () => {
  it("ends what runs, sends the result, and exits 0", async () => {
    const record = createHostRecord();
    await using worker = await startWorkerProcess({ bundle: bundle.path, stateDir, ladder: [100, 100] });
    const link = await linkTo(worker, record);
    await link.start("j", 1, HASH, script("trap '' INT; sleep 60 & wait"), {});
    await record.until("j/1", ({ type }) => type === "started");
    worker.kill("SIGTERM");
    expect(await record.finished("j/1")).toMatchObject({ kind: "failed", error: { code: "interrupted" } });
    expect(await worker.exited).toBe(0);
    expect(await link.closed).toBe("the worker is stopping");
  });
});

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("a worker with a uid of its own, as in a lane's container", () => {
  const CAPS = ["setuid", "setgid", "setpcap", "kill", "chown"].map((cap) => `+${cap}`).join(",");
  const asWorker = [
    "setpriv",
    ...["--reuid=31417", "--regid=31417", "--clear-groups", "--no-new-privs"],
    ...["--bounding-set", "--inh-caps", "--ambient-caps"].map((flag) => `${flag}=-all,${CAPS}`),
    "--",
  ];

  it.each([{ uid: 12345 }, { uid: 0 }])("runs jobs as uid $uid without any capability", async ({ uid }) => {
    const record = createHostRecord();
    await using worker = await startWorkerProcess({
      bundle: bundle.path,
      launcher: asWorker,
      owner: 31417,
      agent: { uid, gid: uid },
      ladder: [100, 100],
    });
    const link = await linkTo(worker, record);
    const check = [
      "id -u; id -g; grep -E '^(Cap|NoNewPrivs|Groups)' /proc/self/status | tr -d '\\t '; echo",
      `ls ${worker.stateDir}/spool >/dev/null 2>&1 && echo spool readable`,
      `cat ${worker.stateDir}/../boot/secret >/dev/null 2>&1 && echo secret readable`,
      `cat /proc/${worker.pid}/environ >/dev/null 2>&1 && echo environment readable`,
      `kill -0 ${worker.pid} 2>/dev/null && echo worker killable`,
      "touch $HOME/mine && echo home writable",
      "echo stdout by name > /dev/stdout",
    ];
    await link.start("who", 1, HASH, script(check.join("\n")), {});
    await record.finished("who/1");
    const none = "0".repeat(16);
    const caps = ["Inh", "Prm", "Eff", "Bnd", "Amb"].map((set) => `Cap${set}:${none}`);
    const said = outputOf(record.events("who/1"), "stdout").toString().trim().split("\n");
    expect(said).toEqual([
      String(uid),
      String(uid),
      "Groups:",
      ...caps,
      "NoNewPrivs:1",
      "",
      "home writable",
      "stdout by name",
    ]);

    const orphan = 'trap "" INT TERM; sleep 63 & echo $!; wait';
    const escaping = script(`sh -c 'setsid sh -c "$ORPHAN" &'; sleep 60`, { env: { ORPHAN: orphan } });
    await link.start("escape", 1, HASH, escaping, {});
    const first = await record.until("escape/1", ({ type }) => type === "output");
    await link.cancel("escape", 1, {});
    expect(await record.finished("escape/1")).toMatchObject({ kind: "cancelled" });
    const pid = first.type === "output" && "text" in first ? Number(first.text) : 0;
    expect(existsSync(`/proc/${pid}/fd/0`)).toBe(false);
    link.close("done");
  });
});

describe("what the boot does by hand", () => {
  const facts = {
    laneId: "a",
    laneName: "b",
    workspaceId: "c",
    generation: 1,
    build: "ab".repeat(32),
    agentUid: 0,
    agentGid: 1000,
  };

  it("reads a bootstrap as its schema does", () => {
    expect(parseBootstrap(JSON.stringify(facts))).toEqual(bootstrapSchema.parse(facts));
    const wrong = { generation: [0, -1, "1", null], build: ["", 7], agentUid: [-1, 1.5], laneId: [null] };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        expect(() => parseBootstrap(JSON.stringify({ ...facts, [name]: value }))).toThrow();
        expect(bootstrapSchema.safeParse({ ...facts, [name]: value }).success).toBe(false);
      }
    }
  });

  it("keeps loader variables from the privileged half of the launcher", () => {
    const { early, late } = splitEnv({ A: "1", LD_PRELOAD: "/x.so", BASH_ENV: "/x", ENV: "/x", LDX: "2" });
    expect(early).toEqual({ A: "1", LDX: "2" });
    expect(late).toEqual(["LD_PRELOAD=/x.so", "BASH_ENV=/x", "ENV=/x"]);
    expect(whyEnvInvalid({ "a-b": "1" })).toContain("a-b");
    expect(whyEnvInvalid({ A_1: "any\nthing" })).toBeNull();
  });

  it.each([
    [["Host", "127.0.0.1:31417"], true],
    [["host", "localhost"], true],
    [["Host", "[::1]:80"], true],
    [["Host", "10.88.0.2"], true],
    [["Host", "evil.test"], false],
    [["Host", "127.0.0.1.nip.io"], false],
    [["Host", "localhost."], false],
    [["Host", "127.0.0.1", "HOST", "127.0.0.1"], false],
    [["Hosts", "127.0.0.1"], false],
  ])("judges the Host header %j: %s", (headers, allowed) => {
    expect(isHostAllowed(headers)).toBe(allowed);
  });
});
