import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ApiJob, ApiJobEvent } from "../../internal/protocol/api.ts";
import type { ApiFeedEntry, ApiInboxItem, ApiInboxPage } from "../../internal/protocol/index.ts";
import { callApi } from "../support/api.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";

let home: Installation;
beforeAll(async () => {
  home = await newInstallation();
  await home.up();
  await home.json(["workspace", "add", await home.repository()]);
}, 120_000);
afterAll(() => home?.[Symbol.asyncDispose]());

it("removes the output of ended jobs above the limit, oldest first, and never of one that runs", async () => {
  await home.json(["add", "talker"]);
  const talk = async (name: string, then: string) => {
    const script = `i=0; while [ $i -lt 2000 ]; do echo ${name} $i is a line; i=$((i+1)); done; ${then}`;
    return home.json<ApiJob>(["run", "talker", "--detach", "--", "sh", "-c", script]);
  };
  const show = (job: ApiJob) => callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`);
  const typesOf = async (job: ApiJob) =>
    new Set((await callApi<ApiJobEvent[]>(home, "GET", `/v1/jobs/${job.id}/events?limit=1000`)).map((e) => e.type));
  const ended = await talk("first", "true");
  await home.lane(["job", "wait", ended.id]);
  const running = await talk("second", "sleep 600");
  await eventually(async () => (await typesOf(running)).has("output"), { what: "output of the running job" });
  expect(await typesOf(ended)).toContain("output");
  const { stream } = (await show(ended)).files;

  await writeFile(join(home.dir, "c", "lanekeeper", "config.yaml"), "jobs: { keepBytes: 1k }\n");
  await home.lane(["down"]);
  await home.up();
  await eventually(async () => !(await typesOf(ended)).has("output"), { what: "the end of the ended job's output" });
  await eventually(() => !existsSync(stream ?? ""), { what: "the end of the ended job's stream" });
  expect(await typesOf(ended)).toContain("gap");
  expect(await show(ended)).toMatchObject({ state: "succeeded", exitCode: 0, files: { stream: null } });
  expect((await home.lane(["logs", "talker"])).code).toBe(0);
  expect(await typesOf(running)).toContain("output");
  expect((await show(running)).state).toBe("running");
  const log = await readFile(join(home.stateDir, "logs", "laned.log"), "utf8");
  expect(log.split("\n").filter((line) => line.includes("output of an ended job removed"))).toHaveLength(1);
});

it("removes items that were closed long enough ago, tells who follows, and leaves those that wait", async () => {
  await home.json(["add", "failing"]);
  const items = async () => (await callApi<ApiInboxPage>(home, "GET", "/v1/inbox?state=all")).items;
  const fail = async () => {
    const { job } = (await home.lane(["run", "failing", "--json", "--", "false"])).stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { job: string })[0] ?? { job: "" };
    const found = async () => (await items()).find((item) => item.job === job) ?? null;
    return eventually(found, { what: "the item of the failed job" });
  };
  const [closed, open] = [await fail(), await fail()];
  await home.json<ApiInboxItem>(["done", closed.id]);

  await writeFile(join(home.dir, "c", "lanekeeper", "config.yaml"), "inbox: { keepFor: 500ms }\n");
  await home.lane(["down"]);
  await home.up();
  await eventually(async () => !(await items()).some(({ id }) => id === closed.id), { what: "the closed item's end" });
  expect(await items()).toEqual(expect.arrayContaining([expect.objectContaining({ id: open.id, state: "open" })]));
  const told = (await home.lane(["events", "--json", "--type", "inbox.removed"])).stdout.trim().split("\n");
  expect(told.flatMap((line) => (JSON.parse(line) as ApiFeedEntry).data.ids)).toContain(closed.id);
  expect(await home.lane(["answer", closed.id, "retry"])).toMatchObject({ code: 3 });
});
