import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiFeedEntry, ApiJob, ApiLane, ApiStatus } from "../../internal/protocol/api.ts";
import { callApi } from "../support/api.ts";
import { FULL } from "../support/full.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";

/** The shortest there may be. */
const STUCK_S = 20;

// It waits for what is measured every 10 s; what is decided by it has unit tests.
describe.runIf(FULL)("a job that gets nowhere", { timeout: 150_000 }, () => {
  let home: Installation;

  beforeAll(async () => {
    home = await newInstallation({ config: `jobs: { stuckAfter: ${STUCK_S}s }\n` });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
  }, 120_000);
  afterAll(() => home?.[Symbol.asyncDispose]());

  const begin = async (name: string, script: string) => {
    await home.json<ApiLane>(["add", name]);
    return home.json<ApiJob>(["run", name, "--detach", "--", "sh", "-c", script]);
  };
  const show = (job: ApiJob) => callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`);
  const status = () => home.json<ApiStatus>(["status"]);

  it("is shown, told and left running; one that works without a word is not", async () => {
    const silent = await begin("silent", "i=0; while [ $i -lt 100000000 ]; do i=$((i+1)); done");
    const idle = await begin("idle", "echo begun; sleep 600");
    const stuck = await eventually(async () => ((await show(idle)).stuck ? show(idle) : null), {
      what: "the job that sleeps to be called stuck",
      withinMs: (STUCK_S + 40) * 1000,
    });
    expect(stuck).toMatchObject({ state: "running", detail: expect.stringMatching(/^no progress for \d+s$/) });
    const sinceMs = Date.now() - Date.parse(stuck.lastProgressAt ?? "");
    expect(sinceMs).toBeGreaterThanOrEqual(STUCK_S * 1000);
    expect((await home.lane(["jobs"])).stdout).toMatch(/running, no progress for \d+s/);
    expect((await home.lane(["job", "show", idle.id])).stdout).toMatch(/^progress {2}\d+s ago$/m);
    expect((await home.lane(["status"])).stdout).toContain("1 job without progress");
    const feed = await callApi<ApiFeedEntry[]>(home, "GET", "/v1/events?follow=0&after=0");
    expect(feed.filter((entry) => entry.type === "job.stuck").map(({ job }) => job)).toEqual([idle.id]);

    const working = await show(silent);
    expect(working).toMatchObject({ state: "running", stuck: false, detail: null });
    expect(Date.now() - Date.parse(working.lastProgressAt ?? "")).toBeLessThan(15_000);
    expect((await status()).stuckJobs).toBe(1);

    await home.lane(["job", "cancel", idle.id]);
    await eventually(async () => (await show(idle)).state === "cancelled", { what: "the cancelled job's end" });
    await eventually(async () => (await status()).stuckJobs === 0, { what: "no stuck job" });
    await home.lane(["job", "cancel", silent.id]);
  });
});
