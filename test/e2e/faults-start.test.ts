import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { laneIdOf } from "../../internal/lane/index.ts";
import type { ApiLane, ApiWorkspace } from "../../internal/protocol/index.ts";
import { makeBrokenImage, runIdle } from "../support/by-hand.ts";
import { eventually, type Installation, newInstallation, uniqueName } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { inspectContainer, podman } from "../support/podman.ts";
import { newWard, wardOf } from "../support/ward.ts";

const CONFIG = `
timeouts: { relist: 1s, orphanGrace: 1s, startup: 20s }
backoff: { base: 200ms, max: 5s, failures: 5 }
`;

describe("a lane that cannot start", { timeout: 150_000 }, () => {
  let home: Installation;
  let workspace: ApiWorkspace;
  let image: string;

  beforeAll(async () => {
    home = await newInstallation({ config: CONFIG });
    await home.up();
    workspace = await home.json<ApiWorkspace>(["workspace", "add", await home.repository()]);
    image = `localhost/${uniqueName("lk-broken")}:1`;
    await makeBrokenImage(home, image, 66);
    // With a first lane the installation finds out what works here; containers made by hand need to know it as well.
    await home.json(["add", "first"]);
    await home.json(["rm", "first", "--yes"]);
  }, 120_000);
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    await podman("rmi", "-f", image).catch(() => undefined);
  });

  it("is tried again with growing pauses, then failed with the cause and its last words; a start tries again", async () => {
    const added = await home.lane(["add", "broken", "--image", image]);
    expect(added.code).not.toBe(0);
    expect(added.stderr).toContain("no node here");
    const ward = wardOf(home, await home.json<ApiLane>(["show", "broken"]));
    const lane = await ward.until("failed", (l) => l.state === "failed");
    expect(lane.cause?.message).toContain("exit code 66");
    expect(lane.logTail).toContain("no node here");

    const history = await ward.history();
    const pauses = history.flatMap((entry, i) => {
      const next = history.slice(i).find((one) => one.event === "create");
      return entry.event === "retry_later" && next ? [Date.parse(next.at) - Date.parse(entry.at)] : [];
    });
    expect(pauses).toHaveLength(4);
    pauses.forEach((pause, i) => {
      expect(pause).toBeGreaterThanOrEqual(200 * 2 ** i * 0.75 - 5);
    });
    expect(history.filter((entry) => entry.event === "create")).toHaveLength(5);
    expect(history.at(-1)).toMatchObject({ event: "give_up", to: "failed" });
    await eventually(async () => (await podman("ps", "-aq", "--filter", `name=${lane.containerName}`)) === "", {
      what: "no container",
    });

    // Sticky: relists do not wake it. A person does.
    const again = await home.lane(["start", "broken"]);
    expect(again.code).not.toBe(0);
    expect((await ward.now()).state).toBe("failed");
    expect((await ward.history()).filter((entry) => entry.event === "create")).toHaveLength(10);

    await home.json(["set", "broken", "image="]);
    await ward.readyAs(11);
    expect((await home.lane(["rm", "broken", "--yes", "--force"])).code).toBe(0);
    await expectOnly(home, []);
  });

  it("is failed at once when its image is missing, and comes by itself when the image does", async () => {
    const name = `localhost/${uniqueName("lk-late")}:1`;
    const added = await home.lane(["add", "late", "--image", name]);
    expect(added.code).toBe(125);
    expect(added.stderr).toContain(name);
    const ward = wardOf(home, await home.json<ApiLane>(["show", "late"]));
    expect(await ward.now()).toMatchObject({ state: "failed", generation: 0, cause: { code: "engine.image_missing" } });
    await podman("tag", "localhost/lane-runtime:local", name);
    try {
      await ward.readyAs(1);
    } finally {
      await podman("untag", name, name);
    }
    expect((await home.lane(["rm", "late", "--yes", "--force"])).code).toBe(0);
  });

  it("is failed when a foreign container has its name, and leaves that container as it is", async () => {
    const containerName = `lane-${await home.installId()}-${laneIdOf(workspace.id, "taken")}`;
    const id = await runIdle(home, { name: containerName });
    try {
      const before = await inspectContainer(id);
      const added = await home.lane(["add", "taken"]);
      expect(added.code).toBe(5);
      expect(added.stderr).toContain(containerName);
      const ward = wardOf(home, await home.json<ApiLane>(["show", "taken"]));
      expect(await ward.now()).toMatchObject({ state: "failed", cause: { code: "lane.foreign_container" } });
      expect((await home.lane(["start", "taken"])).code).toBe(5);
      expect(await inspectContainer(id)).toEqual(before);
      // The janitor has been by, twice, and seen that its monitor is none of ours.
      for (let i = 0; i < 2; i++) await expectSwept();
      expect((await home.lane(["rm", "taken", "--yes", "--force"])).code).toBe(0);
      expect(await inspectContainer(id)).toEqual(before);
    } finally {
      await podman("rm", "-f", "-t", "0", id);
    }
  });

  it("has the janitor remove what is ours and of no known lane, and nothing else", async () => {
    const ward = await newWard(home, "known");
    const canary = await runIdle(home, { name: uniqueName("lk-canary") });
    try {
      const before = await inspectContainer(canary);
      await expectSwept();
      await expectOnly(home, [ward.born]);
      expect(await inspectContainer(canary)).toEqual(before);
      expect(await ward.now()).toMatchObject({ state: "ready", container: ward.born.container });
    } finally {
      await podman("rm", "-f", "-t", "0", canary);
    }
  });

  /** A container and a network with our label, of a lane that nobody knows, are removed when their grace is over. */
  async function expectSwept(): Promise<void> {
    const install = await home.installId();
    const orphan = `lane-${install}-${uniqueName("gone")}`;
    const labels = { "io.lanekeeper.install": install, "io.lanekeeper.lane": "gone-0000000000" };
    const flags = Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
    await podman("network", "create", ...flags, orphan);
    await runIdle(home, { name: orphan, labels });
    const names = () => podman("ps", "-a", "--format", "{{.Names}}");
    await eventually(async () => !(await names()).split("\n").includes(orphan), { what: "the orphan's end" });
  }
});
