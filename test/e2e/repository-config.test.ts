import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type {
  ApiInboxItem,
  ApiJob,
  ApiLane,
  ApiLaneConfig,
  ApiRepository,
  ApiWorkspace,
} from "../../internal/protocol/index.ts";
import { makeOtherImage } from "../support/by-hand.ts";
import { eventually, type Installation, newInstallation, uniqueName } from "../support/installation.ts";
import { inspectContainer, podman } from "../support/podman.ts";

const FILE = ".lanekeeper.yaml";

describe("what a repository, its workspace and a person say of lanes", { timeout: 120_000 }, () => {
  let home: Installation;
  let repo: string;

  beforeAll(async () => {
    home = await newInstallation({ config: "timeouts: { relist: 1s }\nlimits: { memory: 1g }" });
    repo = await home.repository("shop");
    await home.up();
    await home.json(["workspace", "add", repo]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const { name } of await home.json<ApiLane[]>(["ls"])) await home.lane(["rm", name, "--yes", "--force"]);
    await commit("");
    await home.json(["workspace", "set", "shop", "setup=", "teardown=", "agent=", "limits.pids="]);
  });

  /** A commit of the base, as its developers make it. */
  const commit = async (text: string, at = repo) => {
    await writeFile(join(at, FILE), text);
    const git = (...args: string[]) =>
      execa("git", ["-C", at, "-c", "user.name=t", "-c", "user.email=t@t", ...args], { env: { HOME: home.env.HOME } });
    await git("add", "-A");
    await git("commit", "-q", "--allow-empty", "-m", "configuration");
  };
  const show = (name: string) => home.json<ApiLane>(["show", name]);
  const job = (id: string | null | undefined) => home.json<ApiJob>(["job", "show", id ?? "none"]);
  const outputOf = async (id: string | null | undefined) => {
    const { stdout } = await home.lane(["job", "events", id ?? "none", "--json"]);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly type: string; text?: string });
    return events.map(({ type, text }) => (type === "output" ? text : "")).join("");
  };
  const until = (name: string, what: string, test: (lane: ApiLane) => boolean) =>
    eventually(
      async () => {
        const lane = await show(name);
        return test(lane) ? lane : null;
      },
      { what, withinMs: 40_000 },
    );

  it("prepares each container before its first job, keeps the output, and cleans up before the lane goes", async () => {
    await commit("setup: ['echo prepared >> /tmp/mark; id -u', [sh, -c, 'echo \"two words\"']]\nlimits: {pids: 300}\n");
    await home.json(["add", "first"]);
    const ran = await home.lane(["run", "first", "--", "cat", "/tmp/mark"]);
    expect([ran.code, ran.stdout]).toEqual([0, "prepared\n"]);
    const lane = await show("first");
    expect(lane.setup?.state).toBe("done");
    expect(await job(lane.setup?.job)).toMatchObject({ kind: "command", state: "succeeded", key: "setup:1" });
    expect(await outputOf(lane.setup?.job)).toContain("two words");
    expect((await inspectContainer(lane.containerName)).HostConfig.PidsLimit).toBe(300);

    await home.json(["recreate", "first"]);
    expect((await home.lane(["run", "first", "--", "cat", "/tmp/mark"])).stdout).toBe("prepared\n");
    const again = await show("first");
    expect([again.generation, again.setup?.job === lane.setup?.job]).toEqual([2, false]);

    // A daemon that dies in the middle: the job goes on, and the next one takes it up.
    await commit("setup: ['echo once >> /tmp/mark; sleep 3']\n");
    await home.json(["recreate", "first"]);
    const midway = await until("first", "a setup that runs", ({ setup }) => setup?.state === "running");
    await home.kill9();
    await home.up();
    expect((await home.lane(["run", "first", "--", "cat", "/tmp/mark"])).stdout).toBe("once\n");
    expect((await show("first")).setup).toEqual({ state: "done", job: midway.setup?.job });
    expect((await job(midway.setup?.job)).attempt).toBe(1);

    await home.json(["workspace", "set", "shop", "teardown=exit 3"]);
    const refused = await home.lane(["rm", "first", "--yes"]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("its teardown ended failed")]);
    await home.json(["workspace", "set", "shop", "teardown=grep once /tmp/mark"]);
    expect((await home.lane(["rm", "first", "--yes"])).code).toBe(0);
    expect(existsSync(lane.worktree)).toBe(false);
    const [last] = await home.json<ApiJob[]>(["jobs"]);
    expect([last?.state, await outputOf(last?.id)]).toEqual(["succeeded", "+ grep once /tmp/mark\nonce\n"]);
  });

  it("shows a setup that failed, keeps its lane's jobs waiting, and goes on when it is tried again or skipped", async () => {
    await commit("setup: ['echo trying; test -e /workspace/.ok']\n");
    await home.json(["add", "stuck"]);
    const waiting = await home.json<ApiJob>(["run", "stuck", "--detach", "--", "echo", "hello"]);
    const lane = await until("stuck", "a failed setup", ({ setup }) => setup?.state === "failed");
    expect(lane).toMatchObject({ state: "ready", cause: { code: "setup_failed" } });
    expect(lane.cause?.message).toContain(lane.setup?.job);
    expect((await home.lane(["status"])).stdout).toContain("its setup has failed");
    expect(await job(waiting.id)).toMatchObject({ state: "queued", waiting: "setup" });
    expect(await outputOf(lane.setup?.job)).toContain("trying");

    await writeFile(join(lane.worktree, ".ok"), "");
    await home.json(["setup", "stuck"]);
    expect((await home.lane(["job", "wait", waiting.id])).code).toBe(0);
    expect(await job(lane.setup?.job)).toMatchObject({ state: "succeeded", attempt: 2 });

    await execa("rm", [join(lane.worktree, ".ok")]);
    await home.json(["recreate", "stuck"]);
    await until(
      "stuck",
      "another failed setup",
      ({ setup, generation }) => generation === 2 && setup?.state === "failed",
    );
    const late = await home.json<ApiJob>(["run", "stuck", "--detach", "--", "echo", "late"]);
    expect((await job(late.id)).waiting).toBe("setup");
    expect((await home.lane(["setup", "stuck", "--skip"])).stdout).toContain("without its setup");
    expect((await home.lane(["job", "wait", late.id])).code).toBe(0);
  });

  it("takes an image, ports and variables of the repository only once a person has approved exactly these", async () => {
    const image = `localhost/${uniqueName("lk-own")}:1`;
    const id = await makeOtherImage(home, image);
    try {
      await commit("");
      await home.json(["add", "own"]);
      const plain = await inspectContainer((await show("own")).containerName);
      await commit(`image: ${image}\nports: [3000]\nenv: {COLOR: red}\nlimits: {memory: 512m}\n`);
      // What takes less is taken at once, and only that.
      const less = await until(
        "own",
        "the lower limit",
        ({ generation, state }) => generation === 2 && state === "ready",
      );
      const before = await inspectContainer(less.containerName);
      expect([before.Image, before.HostConfig.Memory]).toEqual([plain.Image, 2 ** 29]);
      expect([Object.keys(before.HostConfig.PortBindings), before.Config.Env.join()]).toEqual([
        ["31417/tcp"],
        expect.not.stringContaining("COLOR"),
      ]);
      expect(less.repository?.asked).toMatchObject({ word: "pending" });
      expect(less.repository?.asked?.fields.map(({ field }) => field)).toEqual(["image", "ports", "env.COLOR"]);
      expect((await home.lane(["status"])).stdout).toContain("asks for image, ports, env.COLOR");
      const file = await home.json<ApiRepository>(["config", "repository", "shop"]);
      expect(file).toMatchObject({ found: true, error: null, asked: less.repository?.asked });

      const items = await home.json<ApiInboxItem[]>(["inbox", "--kind", "approval"]);
      expect(items.map(({ title }) => title)).toEqual([`shop: ${FILE} asks for image, ports, env.COLOR`]);
      expect((await home.lane(["answer", items[0]?.id ?? "none", "approve"])).code).toBe(0);
      const made = await until(
        "own",
        "the approved image",
        ({ generation, state }) => generation === 3 && state === "ready",
      );
      const after = await inspectContainer(made.containerName);
      expect([after.Image, after.Config.Env]).toEqual([id, expect.arrayContaining(["COLOR=red"])]);
      expect(made.ports).toEqual([{ container: 3000, host: expect.any(Number) }]);
      const values = (await home.json<ApiLaneConfig>(["config", "show", "--lane", "own", "--origin"])).values;
      expect(values.find(({ key }) => key === "image")).toEqual({ key: "image", value: image, origin: "repository" });

      // One byte more is another content.
      await commit(`image: ${image}\nports: [3001]\nenv: {COLOR: red}\nlimits: {memory: 512m}\n`);
      const back = await until(
        "own",
        "the standard image",
        ({ generation, state }) => generation === 4 && state === "ready",
      );
      expect((await inspectContainer(back.containerName)).Image).toBe(plain.Image);
      expect(back.repository?.asked?.word).toBe("pending");
      expect((await home.lane(["config", "approve", "shop", "--pin", "000000"])).code).toBe(5);
    } finally {
      await podman("rmi", "-f", image).catch(() => undefined);
    }
  });

  it("takes nothing that a lane writes into its worktree or commits on its branch", async () => {
    await commit("setup: ['true']\n");
    await home.json(["add", "sly"]);
    const before = await show("sly");
    const script = `printf 'image: evil:1\\nports: [99]\\nlimits: {pids: 16}\\nsetup: ["touch /tmp/evil"]\\n' > ${FILE}
      git add -A; git -c user.name=x -c user.email=x@x commit -qm sly`;
    expect((await home.lane(["run", "sly", "--", "sh", "-ec", script])).code).toBe(0);
    await home.json(["sync", "sly"]);
    await home.json(["recreate", "sly"]);
    const after = await show("sly");
    expect(after).toMatchObject({
      fingerprint: before.fingerprint,
      drift: [],
      repository: { asked: null, error: null },
    });
    expect(after.repository?.commit).toBe(before.repository?.commit);
    expect((await home.lane(["run", "sly", "--", "test", "-e", "/tmp/evil"])).code).toBe(1);
  });

  it("keeps a lane as it was when the file breaks, says why, and makes no new lane from it", async () => {
    await commit("setup: ['true']\nlimits: {pids: 200}\n");
    await home.json(["add", "kept"]);
    await commit("limits: {pids: 100}\nimgae: other:1\n");
    const lane = await until("kept", "the reason", ({ cause }) => cause !== null);
    expect(lane).toMatchObject({ state: "ready", generation: 1, drift: [], cause: { code: "config.invalid" } });
    expect(lane.cause?.message).toContain(`${FILE}:2: unknown key "imgae"`);
    const refused = await home.lane(["add", "new"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(':2: unknown key "imgae"')]);
    expect(existsSync(join(`${repo}.lanes`, "new"))).toBe(false);
  });

  it("gives lanes what their workspace says", async () => {
    await home.json(["workspace", "set", "shop", "agent=shell", "limits.pids=256"]);
    const [workspace] = await home.json<ApiWorkspace[]>(["workspace", "ls"]);
    expect(workspace?.settings).toMatchObject({ agent: "shell", pids: 256 });
    const lane = await home.json<ApiLane>(["add", "heir"]);
    expect((await inspectContainer(lane.containerName)).HostConfig.PidsLimit).toBe(256);
    expect((await home.lane(["run", "heir", "echo from the shell agent"])).stdout).toContain("from the shell agent");
    await home.json(["set", "heir", "limits.pids=128"]);
    await until("heir", "its own limit", ({ generation, state }) => generation === 2 && state === "ready");
    expect((await inspectContainer(lane.containerName)).HostConfig.PidsLimit).toBe(128);
  });
});
