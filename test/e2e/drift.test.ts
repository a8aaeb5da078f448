import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ApiDrift, ApiLane } from "../../internal/protocol/api.ts";
import { makeOtherImage } from "../support/by-hand.ts";
import { type Installation, newInstallation, uniqueName } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { inspectContainer, podman } from "../support/podman.ts";
import { newWard, type Ward } from "../support/ward.ts";

describe("a lane whose settings change", { timeout: 150_000 }, () => {
  let home: Installation;

  beforeAll(async () => {
    home = await newInstallation({ config: "timeouts: { relist: 1s }" });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const lane of await home.json<ApiLane[]>(["ls"])) await home.lane(["rm", lane.name, "--yes", "--force"]);
    await expectOnly(home, []);
  });

  const drift = (ward: Ward) => home.json<ApiDrift>(["drift", ward.name]);
  const run = async (ward: Ward, script: string) =>
    (await home.lane(["run", ward.name, "--", "sh", "-c", script])).stdout;

  it("is recreated when idle, with what was changed; worktree and volume stay", async () => {
    const ward = await newWard(home, "idle");
    await run(ward, "echo tree > tree.txt; echo volume > $HOME/volume.txt");
    const before = await inspectContainer(ward.born.containerName);
    await home.json(["set", ward.name, "env.COLOR=red", "limits.memory=512m"]);
    const lane = await ward.readyAs(2);
    expect(lane).toMatchObject({ generation: 2, drift: [], worktree: ward.born.worktree });
    expect(await run(ward, "cat tree.txt $HOME/volume.txt; echo $COLOR")).toBe("tree\nvolume\nred\n");
    const after = await inspectContainer(lane.containerName);
    expect(after.Id).not.toBe(before.Id);
    expect(after.HostConfig.Memory).toBe(512 * 1024 * 1024);
    const volume = (seen: typeof before) => seen.Mounts.find((mount) => mount.Destination === "/lane/state");
    expect(volume(after)).toEqual(volume(before));
    const causes = (await ward.history()).flatMap((entry) => entry.cause?.message ?? []);
    expect(causes).toContainEqual(expect.stringMatching(/^configuration drifted: env\.COLOR, limits\.memoryBytes$/));
    expect((await home.lane(["drift", ward.name, "--exit-code"])).code).toBe(0);
    await expectOnly(home, [lane]);
  });

  it("lets the running job end, and is recreated within 10 s after it", async () => {
    const ward = await newWard(home, "busy");
    const job = await ward.startJob({ seconds: 5 });
    await home.json(["set", ward.name, "env.COLOR=red"]);
    const waiting = await ward.until("draining", (lane) => lane.state === "draining");
    expect(waiting).toMatchObject({ generation: 1, container: ward.born.container, cause: { code: "drift" } });
    expect(await drift(ward)).toMatchObject({
      policy: "when-idle",
      action: "waiting-for-idle",
      fields: [{ part: "env", field: "COLOR", was: null, is: "red" }],
    });
    const later = home.lane(["run", ward.name, "--", "sh", "-c", "echo $COLOR"]);
    const end = await ward.ended(job.id);
    expect(end.job).toMatchObject({ state: "succeeded", attempt: 1 });
    const lane = await ward.readyAs(2);
    expect(Date.parse(lane.since as string) - Date.parse(end.job.endedAt as string)).toBeLessThan(10_000);
    expect(await ward.ledger()).toEqual(["start", "end"]);
    // What was asked for meanwhile ran in the new container.
    expect(await later).toMatchObject({ code: 0, stdout: "red\n" });
  });

  it("goes on as it is when the change is taken back before the job ends", async () => {
    const ward = await newWard(home, "regret");
    const job = await ward.startJob({ seconds: 4 });
    await home.json(["set", ward.name, "env.COLOR=red"]);
    await ward.until("draining", (lane) => lane.state === "draining");
    await home.json(["set", ward.name, "--unset", "env.COLOR"]);
    await ward.until("ready again", (lane) => lane.state === "ready" && lane.drift.length === 0);
    expect((await ward.ended(job.id)).job.state).toBe("succeeded");
    expect(await ward.now()).toMatchObject({ generation: 1, container: ward.born.container });
  });

  it("is left alone with policy hold, says so, and is recreated by request", async () => {
    const ward = await newWard(home, "held", ["drift=hold"]);
    await home.json(["set", ward.name, "env.COLOR=red"]);
    await ward.until("drifted", (lane) => lane.drift.length > 0);
    const told = await home.lane(["drift", ward.name, "--exit-code"]);
    expect(told.code).toBe(5);
    expect(told.stdout).toContain("env COLOR: (nothing) -> red");
    expect(await drift(ward)).toMatchObject({ policy: "hold", action: "held" });
    expect((await ward.history()).filter((entry) => entry.event === "drift:held")).toHaveLength(1);
    expect(await run(ward, "echo still [$COLOR]")).toBe("still []\n");
    expect(await ward.now()).toMatchObject({ state: "ready", generation: 1, container: ward.born.container });
    const lane = await home.json<ApiLane>(["recreate", ward.name]);
    expect(lane).toMatchObject({ state: "ready", generation: 2, drift: [] });
    expect(await run(ward, "echo now $COLOR")).toBe("now red\n");
    expect((await home.lane(["drift", ward.name, "--exit-code"])).code).toBe(0);
  });

  it("interrupts its job with policy now", async () => {
    const ward = await newWard(home, "hasty", ["drift=now"]);
    const job = await ward.startJob();
    await home.json(["set", ward.name, "env.COLOR=red"]);
    const lane = await ward.readyAs(2);
    const end = await ward.ended(job.id);
    expect(end.job).toMatchObject({ state: "failed", attempt: 1, error: { code: "interrupted" } });
    expect(await ward.ledger()).toEqual(["start"]);
    await expectOnly(home, [lane]);
  });

  it("notices that its image's name was moved to another image", async () => {
    const [image, other] = [`localhost/${uniqueName("lk-tag")}:1`, `localhost/${uniqueName("lk-other")}:1`];
    await podman("tag", "localhost/lane-runtime:local", image);
    try {
      const ward = await newWard(home, "tagged", ["drift=hold", `image=${image}`]);
      const [was, is] = [(await inspectContainer(ward.born.containerName)).Image, await makeOtherImage(home, other)];
      await podman("tag", other, image);
      await ward.until("drifted", (lane) => lane.drift.length > 0);
      expect((await drift(ward)).fields).toEqual([{ part: "image", field: "id", was, is }]);
      await home.json(["set", ward.name, "drift=when-idle"]);
      const lane = await ward.readyAs(2);
      expect((await inspectContainer(lane.containerName)).Image).toBe(is);
    } finally {
      await podman("untag", image, image).catch(() => undefined);
      await podman("rmi", "-f", other).catch(() => undefined);
    }
  });
});
