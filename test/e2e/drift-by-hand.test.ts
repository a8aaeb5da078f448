import { appendFile, cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LaneSpec } from "../../internal/lane/index.ts";
import type { ApiDrift } from "../../internal/protocol/api.ts";
import { replaceByHand } from "../support/by-hand.ts";
import { DIST, type Installation, newInstallation } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { newWard } from "../support/ward.ts";

const INBOX = "/usr/local/bin/inbox";

/** What a hand may do to a container, and the field that shows it. */
const CHANGES: Readonly<
  Record<string, { change(spec: LaneSpec): LaneSpec; field: ApiDrift["fields"][number] | object }>
> = {
  "without-a-mount": {
    change: (spec) => ({
      ...spec,
      worker: { ...spec.worker, binaries: spec.worker.binaries.filter(({ target }) => target !== INBOX) },
    }),
    field: { part: "mounts", field: INBOX, was: expect.stringMatching(/^bind \/.* ro$/), is: null },
  },
  "with-a-mount-more": {
    change: (spec) => ({
      ...spec,
      mounts: [...spec.mounts, { kind: "bind", source: "/etc", target: "/mnt/etc", readOnly: false, relabel: false }],
    }),
    field: { part: "mounts", field: "/mnt/etc", was: null, is: "bind /etc rw" },
  },
  "with-another-value": {
    change: (spec) => ({ ...spec, env: { ...spec.env, COLOR: "blue" } }),
    field: { part: "env", field: "COLOR", was: "red", is: "blue" },
  },
};

describe("a lane whose container is not as it was made", { timeout: 150_000 }, () => {
  let home: Installation;
  let dist: string;

  beforeAll(async () => {
    // A build of its own, to be changed.
    dist = await mkdtemp(join(tmpdir(), "lkd-"));
    await cp(DIST, dist, { recursive: true });
    await symlink(join(dirname(DIST), "node_modules"), join(dist, "node_modules"));
    home = await newInstallation({ config: "timeouts: { relist: 1s }", dist });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
  }, 120_000);
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    await rm(dist, { recursive: true, force: true });
  });

  it("shows what a hand has changed, field by field, and replaces it", async () => {
    const wards = await Promise.all(
      Object.keys(CHANGES).map((name) => newWard(home, name, ["env.COLOR=red", "drift=hold"])),
    );
    expect((await home.lane(["down"])).code).toBe(0);
    await Promise.all(
      wards.map(({ name, born }) => replaceByHand(home, born, (spec) => CHANGES[name]?.change(spec) ?? spec)),
    );
    await home.up();
    for (const ward of wards) {
      const lane = await ward.until("adopted and drifted", ({ state, drift }) => state === "ready" && drift.length > 0);
      expect(lane.container).not.toBe(ward.born.container);
      expect((await home.json<ApiDrift>(["drift", ward.name])).fields).toEqual([CHANGES[ward.name]?.field]);
      expect((await home.lane(["drift", ward.name, "--exit-code"])).code).toBe(5);
    }
    await Promise.all(wards.map(({ name }) => home.json(["set", name, "drift=when-idle"])));
    const lanes = await Promise.all(wards.map((ward) => ward.readyAs(2)));
    for (const ward of wards) {
      expect(
        (await home.lane(["run", ward.name, "--", "sh", "-c", "inbox context >/dev/null && ls /mnt && echo $COLOR"]))
          .stdout,
      ).toBe("red\n");
    }
    expect(lanes.map(({ drift, generation }) => ({ drift, generation }))).toEqual(
      wards.map(() => ({ drift: [], generation: 2 })),
    );
    await expectOnly(home, lanes);
    await Promise.all(wards.map(({ name }) => home.lane(["rm", name, "--yes", "--force"])));
  });

  it("gets another worker when it is idle", async () => {
    const ward = await newWard(home, "worker");
    const job = await ward.startJob({ seconds: 6 });
    expect((await home.lane(["down"])).code).toBe(0);
    await appendFile(join(dist, "bin", "lane-worker"), "\n// another build\n");
    await home.up();
    const waiting = await ward.until("draining", (lane) => lane.state === "draining");
    expect(waiting).toMatchObject({ generation: 1, container: ward.born.container });
    expect(new Set(waiting.drift.map((field) => field.part))).toEqual(new Set(["worker"]));
    expect(waiting.drift.map((field) => field.field)).toContain("binaries[/usr/local/bin/lane-worker].sha256");
    expect((await ward.ended(job.id)).job).toMatchObject({ state: "succeeded", attempt: 1 });
    const lane = await ward.readyAs(2);
    expect(lane.drift).toEqual([]);
    expect((await home.lane(["run", ward.name, "--", "tail", "-n", "1", "/usr/local/bin/lane-worker"])).stdout).toBe(
      "// another build\n",
    );
    expect(await ward.causes()).toContain("drift");
    await expectOnly(home, [lane]);
  });
});
