import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHostRecord, linkTo } from "../../../test/support/lane-link.ts";
import {
  bundleWorker,
  startWorkerProcess,
  type WorkerBundle,
  type WorkerProcess,
} from "../../../test/support/worker-process.ts";
import { createLog } from "../log.ts";
import { createCredentials } from "./credentials.ts";

const CANARY = "canary-91ab";
const fileOf = (path: string, content: string) => ({ path, base64: Buffer.from(content).toString("base64") });
const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

let bundle: WorkerBundle;
let worker: WorkerProcess;
let home: string;
beforeAll(async () => {
  bundle = await bundleWorker();
  worker = await startWorkerProcess({ bundle: bundle.path });
  home = join(worker.stateDir, "home");
});
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  bundle?.[Symbol.dispose]();
});
beforeEach(() => {
  for (const name of readdirSync(home)) rmSync(join(home, name), { recursive: true, force: true });
});

/** One delivery over a link of its own, to the worker of this file or another one. */
async function deliver(files: readonly { path: string; base64: string }[], to: WorkerProcess = worker) {
  const link = await linkTo(to, createHostRecord());
  try {
    return await link.deliverCredentials(files, {});
  } finally {
    link.close("done");
  }
}

const refusalOf = (files: readonly { path: string; base64: string }[]) =>
  deliver(files).then(
    () => null,
    (error: { details: { code: string; message: string } }) => error.details,
  );

describe("a delivery of credentials to a real worker", () => {
  it("places each file privately, and says what is there", async () => {
    mkdirSync(join(home, ".tool"), { mode: 0o755 });
    const manifest = await deliver([fileOf(".tool/deep/auth.json", CANARY), fileOf("token", "t")]);
    const uid = process.getuid?.();
    expect(manifest).toEqual([
      { path: ".tool/deep/auth.json", sha256: sha256(CANARY), mode: 0o600, uid },
      { path: "token", sha256: sha256("t"), mode: 0o600, uid },
    ]);
    expect(readFileSync(join(home, ".tool/deep/auth.json"), "utf8")).toBe(CANARY);
    expect([".tool", ".tool/deep", ".tool/deep/auth.json", "token"].map((path) => modeOf(join(home, path)))).toEqual([
      "700",
      "700",
      "600",
      "600",
    ]);
    expect(readdirSync(join(home, ".tool/deep"))).toEqual(["auth.json"]);
    expect(worker.log()).not.toContain(CANARY);
    expect(readFileSync(join(worker.stateDir, "credentials.json"), "utf8")).not.toContain(CANARY);
  });

  it("replaces what is there, links and loose modes too, without writing through a link", async () => {
    const other = mkdtempSync(join(tmpdir(), "lk-other-"));
    writeFileSync(join(other, "target"), "untouched");
    symlinkSync(join(other, "target"), join(home, "a"));
    writeFileSync(join(home, "b"), "old");
    chmodSync(join(home, "b"), 0o666);
    // Left by a placer that was killed.
    writeFileSync(join(home, "b.lanekeeper-new"), "half");
    await deliver([fileOf("a", "new a"), fileOf("b", "new b")]);
    expect(readFileSync(join(other, "target"), "utf8")).toBe("untouched");
    expect(["a", "b"].map((path) => readFileSync(join(home, path), "utf8"))).toEqual(["new a", "new b"]);
    expect(modeOf(join(home, "b"))).toBe("600");
    expect(readdirSync(home).sort()).toEqual(["a", "b"]);
    rmSync(other, { recursive: true });
  });

  it("removes what it delivered earlier and no more, and nothing else", async () => {
    writeFileSync(join(home, "own"), "the agent's");
    await deliver([fileOf("a", "1"), fileOf("sub/b", "2"), fileOf("gone", "3")]);
    rmSync(join(home, "gone"));
    await deliver([fileOf("a", "1")]);
    expect(readdirSync(home).sort()).toEqual(["a", "own", "sub"]);
    expect(readdirSync(join(home, "sub"))).toEqual([]);
    expect(await deliver([])).toEqual([]);
    expect(readdirSync(home).sort()).toEqual(["own", "sub"]);
  });

  it("removes it also as another worker of the same volume, and through no link", async () => {
    const stateDir = mkdtempSync(join(tmpdir(), "lk-volume-"));
    const other = mkdtempSync(join(tmpdir(), "lk-other-"));
    writeFileSync(join(other, "b"), "untouched");
    {
      await using first = await startWorkerProcess({ bundle: bundle.path, stateDir });
      await deliver([fileOf("a", "1"), fileOf("sub/b", "2")], first);
    }
    rmSync(join(stateDir, "home", "sub"), { recursive: true });
    symlinkSync(other, join(stateDir, "home", "sub"));
    {
      await using second = await startWorkerProcess({ bundle: bundle.path, stateDir, generation: 2 });
      await deliver([], second);
    }
    expect(existsSync(join(stateDir, "home", "a"))).toBe(false);
    expect(readFileSync(join(other, "b"), "utf8")).toBe("untouched");
    for (const dir of [stateDir, other]) rmSync(dir, { recursive: true });
  });

  it("names what is in the way, leaves it alone, and takes the next delivery", async () => {
    mkdirSync(join(home, "token", "x"), { recursive: true });
    writeFileSync(join(home, "file"), "");
    const other = mkdtempSync(join(tmpdir(), "lk-other-"));
    symlinkSync(other, join(home, "link"));
    const refused = async (path: string) => (await refusalOf([fileOf(path, CANARY)]))?.message;
    expect(await refused("token")).toBe("token: a folder is in its place");
    expect(await refused("file/a")).toBe("file/a: something else is in the place of its folder");
    expect(await refused("link/a")).toBe("link/a: a symbolic link is in its way");
    expect(readdirSync(home).sort()).toEqual(["file", "link", "token"]);
    expect(readdirSync(other)).toEqual([]);
    rmSync(other, { recursive: true });
    rmSync(join(home, "token"), { recursive: true });
    expect(await deliver([fileOf("token", "t")])).toHaveLength(1);
    expect(worker.log()).not.toContain(CANARY);
  });

  it("serves deliveries in order: the last one counts", async () => {
    const link = await linkTo(worker, createHostRecord());
    // The first takes the longest: were they served at once, it would be the last to be done.
    const contents = ["1".repeat(250_000), "2".repeat(100_000), "3"];
    const answers = await Promise.all(
      contents.map((content) => link.deliverCredentials([fileOf("token", content)], {})),
    );
    expect(answers.map(([proof]) => proof?.sha256)).toEqual(contents.map(sha256));
    expect(readFileSync(join(home, "token"), "utf8")).toBe("3");
    link.close("done");
  });
});

describe("a question for credentials to a real worker", () => {
  const ask = async (paths: readonly string[]) => {
    const link = await linkTo(worker, createHostRecord());
    try {
      expect(link.build).toMatch(/^[0-9a-f]{64}$/);
      const files = await link.readCredentials(paths, {});
      return files.map(({ path, base64 }) => `${path}=${Buffer.from(base64, "base64")}`);
    } finally {
      link.close("done");
    }
  };

  it("is answered with what is there now: plain files, nothing through a link, nothing large or empty", async () => {
    await deliver([fileOf(".tool/auth.json", "delivered")]);
    writeFileSync(join(home, ".tool/auth.json"), "renewed");
    writeFileSync(join(home, "empty"), "");
    writeFileSync(join(home, "large"), "x".repeat(32 * 1024 + 1));
    mkdirSync(join(home, "folder"));
    symlinkSync("/etc/passwd", join(home, "link"));
    expect(await ask(["none", ".tool/auth.json", "empty", "large", "folder", "link"])).toEqual([
      ".tool/auth.json=renewed",
    ]);
    expect(await ask(["none"])).toEqual([]);
  });
});

describe.skipIf(process.getuid?.() !== 0)("credentials where the worker has a uid of its own", () => {
  const CAPS = ["setuid", "setgid", "setpcap", "kill", "chown"].map((cap) => `+${cap}`).join(",");
  const launcher = [
    "setpriv",
    ...["--reuid=31417", "--regid=31417", "--clear-groups", "--no-new-privs"],
    ...["--bounding-set", "--inh-caps", "--ambient-caps"].map((flag) => `${flag}=-all,${CAPS}`),
    "--",
  ];

  it.each([{ uid: 12345 }, { uid: 0 }])("belong to the agent, uid $uid; the note is the worker's", async ({ uid }) => {
    const agent = { uid, gid: uid };
    await using other = await startWorkerProcess({ bundle: bundle.path, launcher, owner: 31417, agent });
    const [proof] = await deliver([fileOf("a/token", CANARY)], other);
    expect(proof).toEqual({ path: "a/token", sha256: sha256(CANARY), mode: 0o600, uid });
    for (const path of ["home/a", "home/a/token"]) expect(statSync(join(other.stateDir, path)).uid).toBe(uid);
    const note = statSync(join(other.stateDir, "credentials.json"));
    expect([note.uid, note.mode & 0o777]).toEqual([31417, 0o600]);
  });
});

describe("a placer that cannot be trusted", () => {
  const deliverBy = async (script: string, path = "token") => {
    const dir = mkdtempSync(join(tmpdir(), "lk-placer-"));
    try {
      const credentials = createCredentials({
        home: dir,
        notePath: join(dir, "note"),
        identity: { kind: "same" },
        placer: ["/bin/sh", "-c", script],
        log: createLog(() => {}),
        timeoutMs: 300,
      });
      return await credentials.deliver([fileOf(path, CANARY)]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  };

  it("is not believed about files that nobody asked for", async () => {
    const script = `cat > /dev/null; printf '{"kind":"ok","files":[{"path":"other","base64":"eA=="}]}'`;
    const credentials = createCredentials({
      home: "/nowhere",
      notePath: "/nowhere/note",
      identity: { kind: "same" },
      placer: ["/bin/sh", "-c", script],
      log: createLog(() => {}),
      timeoutMs: 2000,
    });
    const { kind } = await credentials.read(["other"]);
    expect([kind, await credentials.read(["token"])]).toMatchObject([
      "ok",
      { error: { code: "not_read", message: expect.stringContaining("no answer that makes sense") } },
    ]);
  });

  it.each([
    ["says nothing", "true", "gave no answer that makes sense"],
    ["says what is no answer", "echo '[1]'", "gave no answer that makes sense"],
    [
      "forges a manifest that is none",
      `echo '{"kind":"ok","manifest":[{"path":"../x"}]}'`,
      "no answer that makes sense",
    ],
    ["speaks of another path", `echo '{"kind":"refused","path":"x","errno":"EIO"}'`, "no answer that makes sense"],
    ["makes up words", `echo '{"kind":"refused","path":"token","errno":"call 555"}'`, "no answer that makes sense"],
    ["fails", "echo oops >&2; exit 3", "ended with 3"],
    ["is killed", "kill -9 $$", "ended with SIGKILL"],
    ["does not end", "exec sleep 60", "not done after 300 ms"],
    ["says too much", "exec yes", "its answer is too long"],
  ])("is refused when it %s", async (_, script, message) => {
    const reply = await deliverBy(script);
    expect(reply).toMatchObject({ kind: "refused", error: { code: "not_placed" } });
    expect(JSON.stringify(reply)).toContain(message);
  });

  it("is not called for a path that leads out of the home", async () => {
    for (const path of ["../x", "/etc/x", "a/../../x", ""]) {
      expect(await deliverBy("exit 9", path)).toMatchObject({ kind: "refused", error: { code: "bad_path" } });
    }
  });
});
