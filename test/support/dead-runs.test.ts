import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startTimeOf } from "../../internal/host/index.ts";
import { findDeadRuns, forgetRun, recordRun } from "./dead-runs.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "dead-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const make = (name: string) => {
  mkdirSync(join(root, name));
  return join(root, name);
};
const ID = "0123456789ab";

it("finds runs whose process is gone, and no other", async () => {
  const living = make("lkt-living");
  await recordRun(living, ID);
  const own = JSON.parse(readFileSync(join(living, "run.json"), "utf8"));
  const write = (name: string, record: unknown) => writeFileSync(join(make(name), "run.json"), JSON.stringify(record));
  write("lkt-reused", { ...own, startTime: own.startTime - 1 });
  write("lkt-other-space", { ...own, startTime: 1, pidSpace: "pid:[1]" });
  write("lkt-odd", { ...own, startTime: 1, id: "../../x" });
  write("other-folder", { ...own, startTime: 1 });
  make("lkt-none");
  writeFileSync(join(make("lkt-torn"), "run.json"), '{"id":"01');
  const child = spawn("sleep", ["30"]);
  const record = { ...own, pid: child.pid, startTime: startTimeOf(child.pid ?? 0) };
  write("lkt-child", record);
  const dead = async () => (await findDeadRuns(root)).map(({ folder }) => folder.slice(root.length + 1)).sort();
  expect(await dead()).toEqual(["lkt-reused"]);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await dead()).toEqual(["lkt-child", "lkt-reused"]);
  await forgetRun(join(root, "lkt-child"));
  expect(await dead()).toEqual(["lkt-reused"]);
  expect(existsSync(join(root, "lkt-child"))).toBe(true);
  expect(readdirSync(root)).toHaveLength(8);
});
