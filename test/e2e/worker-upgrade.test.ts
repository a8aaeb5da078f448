import { appendFile, cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { ApiDrift } from "../../internal/protocol/api.ts";
import { DIST, type Installation, newInstallation } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { inspectContainer } from "../support/podman.ts";
import { newWard, type Ward } from "../support/ward.ts";

/** Long enough that the daemon is back, and the idle lane made anew, well before it ends. */
const JOB_S = 15;

describe("another build of the worker", { timeout: 180_000 }, () => {
  let home: Installation;
  let dist: string;

  afterEach(async () => {
    await home?.[Symbol.asyncDispose]();
    if (dist) await rm(dist, { recursive: true, force: true });
  });

  const workerOf = async (ward: Ward) => {
    const { containerName, container } = await ward.now();
    const { Id, Mounts } = await inspectContainer(containerName);
    expect(Id).toBe(container);
    return readFile(Mounts.find((mount) => mount.Destination.endsWith("/lane-worker"))?.Source ?? "", "utf8");
  };
  const runIn = async (ward: Ward) => (await home.lane(["run", ward.name, "--", "echo", "fine"])).stdout;
  /** As an upgrade of the installed files does it: the daemon ends, its files change, the next one starts. */
  const restartWith = async (change: () => Promise<void>) => {
    await home.kill9();
    await change();
    await home.up();
  };

  it("replaces idle lanes at once and busy ones when their job has ended, there and back", async () => {
    dist = `${DIST}-upgrade-${process.pid}`;
    await cp(DIST, dist, { recursive: true });
    const file = join(dist, "bin", "lane-worker");
    const [older, mark] = [await readFile(file), "\n// a newer build\n"];
    home = await newInstallation({ dist, config: "timeouts: { relist: 1s }" });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
    const [idle, busy] = [await newWard(home, "idle"), await newWard(home, "busy")];

    const turns = [
      { change: () => appendFile(file, mark), isNewer: true, ledger: ["start", "end"] },
      { change: () => writeFile(file, older), isNewer: false, ledger: ["start", "end", "start", "end"] },
    ];
    for (const [i, { change, isNewer, ledger }] of turns.entries()) {
      const generation = i + 1;
      const [idleBefore, busyBefore] = [await idle.now(), await busy.readyAs(generation)];
      const made = await busy.startJob({ seconds: JOB_S });
      await restartWith(change);

      await idle.readyAs(generation + 1);
      const waiting = await busy.until("draining", (lane) => lane.state === "draining");
      expect(waiting).toMatchObject({ generation, container: busyBefore.container, cause: { code: "drift" } });
      const drift = await home.json<ApiDrift>(["drift", busy.name]);
      expect(drift).toMatchObject({ policy: "when-idle", action: "waiting-for-idle" });
      const worker = drift.fields.filter((field) => field.part === "worker");
      expect(worker).not.toEqual([]);
      for (const { was, is } of worker) expect(was).not.toEqual(is);
      expect((await busy.job(made.id)).state).toBe("running");
      expect((await workerOf(busy)).endsWith(mark)).toBe(!isNewer);
      expect((await workerOf(idle)).endsWith(mark)).toBe(isNewer);
      expect(await runIn(idle)).toBe("fine\n");

      const { job: ended } = await busy.ended(made.id);
      expect(ended).toMatchObject({ state: "succeeded", exitCode: 0, attempt: 1 });
      expect(await busy.ledger()).toEqual(ledger);
      const after = await busy.readyAs(generation + 1);
      expect(after.container).not.toBe(busyBefore.container);
      expect((await idle.now()).container).not.toBe(idleBefore.container);
      expect((await workerOf(busy)).endsWith(mark)).toBe(isNewer);
      expect(await runIn(busy)).toBe("fine\n");
      for (const ward of [idle, busy]) {
        const causes = (await ward.history()).map((entry) => entry.cause?.message ?? "");
        expect(causes.filter((text) => /^configuration drifted: .*worker/.test(text))).not.toEqual([]);
        expect(await ward.now()).toMatchObject({ generation: generation + 1, state: "ready", drift: [] });
      }
    }
    await expectOnly(home, [await idle.now(), await busy.now()]);
  });
});
