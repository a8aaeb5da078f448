import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { acquireDaemonLock } from "./daemon-lock.ts";
import { type TempFolder, tempFolder } from "./testing.ts";

let folder: TempFolder;
let path: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = tempFolder();
  path = join(folder.path, "laned.lock");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  folder[Symbol.dispose]();
});

const me = { pid: process.pid, build: "b".repeat(64), socket: "/run/api.sock" };

const holderScript = `
  import { acquireDaemonLock } from ${JSON.stringify(fileURLToPath(new URL("./daemon-lock.ts", import.meta.url)))};
  try {
    acquireDaemonLock(process.argv[1], { pid: process.pid, build: "c".repeat(64), socket: "/run/other.sock" });
    // The result is not kept, on purpose: the lock is the process's, not an object's.
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc();
    console.log("held");
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.code);
  }`;

/** Another process that tries to be the daemon; resolves with what it said. */
async function contender(): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(
    process.execPath,
    ["--expose-gc", "--import", "tsx", "--input-type=module", "-e", holderScript, path],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  const [data] = (await once(child.stdout, "data")) as [Buffer];
  return { child, said: data.toString().trim() };
}

it("names the holder to the second one and is free after dispose", () => {
  const lock = acquireDaemonLock(path, me);
  const error = thrown();
  expect(error.code).toBe("daemon.already_running");
  expect(error.message).toContain(`pid ${process.pid}`);
  expect(error.details.holder).toEqual(me);
  lock.describe({ ...me, socket: "/run/moved.sock" });
  expect(thrown().message).toContain("/run/moved.sock");
  lock[Symbol.dispose]();
  lock[Symbol.dispose]();
  acquireDaemonLock(path, me)[Symbol.dispose]();
});

it("lets exactly one of two processes live and is free at once when the holder is killed", async () => {
  const both = await Promise.all([contender(), contender()]);
  expect(both.map((one) => one.said).sort()).toEqual(["daemon.already_running", "held"]);
  const holder = both.find((one) => one.said === "held");
  expect(thrown().message).toContain(`pid ${holder?.child.pid}`);
  holder?.child.kill("SIGKILL");
  if (holder) await once(holder.child, "exit");
  acquireDaemonLock(path, me)[Symbol.dispose]();
}, 20_000);

it("decides by the lock, not by what the holder wrote", () => {
  using _lock = acquireDaemonLock(path, me);
  rmSync(`${path}.holder`);
  const error = thrown();
  expect([error.code, error.details.holder]).toEqual(["daemon.already_running", null]);
});

function thrown(): AppError {
  try {
    acquireDaemonLock(path, me)[Symbol.dispose]();
  } catch (caught) {
    if (caught instanceof AppError) return caught;
    throw caught;
  }
  throw new Error("the lock was free");
}
