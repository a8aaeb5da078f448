import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createFakeLaned, type FakeLaned } from "./fake-laned.ts";
import { eventually } from "./testing.ts";

const URL_OF_PAGE = `http://127.0.0.1:4711/#code=${"c0de".repeat(8)}`;

let laned: FakeLaned;
let bin: string;

beforeEach(async () => {
  laned = await createFakeLaned();
  bin = await mkdtemp(path.join(os.tmpdir(), "lk-open-"));
  await laned.lane(["up"]);
});
afterEach(async () => {
  await laned[Symbol.asyncDispose]();
  await rm(bin, { recursive: true, force: true });
});

/** A program that opens browsers, and writes down what it was told. */
async function installOpener(script: string): Promise<void> {
  const file = path.join(bin, "xdg-open");
  await writeFile(file, `#!/bin/sh\nprintf '%s' "$*" > ${bin}/told\n${script}\n`);
  await chmod(file, 0o755);
}

const withDisplay = () => ({ DISPLAY: ":0", PATH: `${bin}:/usr/bin:/bin` });

it("prints the address where there is no display, and with --print and --json", async () => {
  expect(await laned.lane(["open"])).toMatchObject({ code: 0, stdout: `${URL_OF_PAGE}\n` });
  await installOpener("");
  expect(await laned.lane(["open", "--print"], withDisplay())).toMatchObject({ code: 0, stdout: `${URL_OF_PAGE}\n` });
  const { stdout } = await laned.lane(["open", "--json"], withDisplay());
  expect(JSON.parse(stdout)).toMatchObject({ url: URL_OF_PAGE });
});

it("opens a browser by a file of ours, so that no command line shows the code", async () => {
  await installOpener("exit 0");
  const { code, stdout, stderr } = await laned.lane(["open"], withDisplay());
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  expect(stderr).toContain("the page is opened: http://127.0.0.1:4711");
  const file = path.join(path.dirname(laned.socket), "open.html");
  expect(await readFile(path.join(bin, "told"), "utf8")).toBe(`file://${file}`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, "utf8")).toContain(`content="0;url=${URL_OF_PAGE}"`);
});

it("prints the address when nothing can open it, and does not wait for what stays open", async () => {
  await installOpener("exit 3");
  expect(await laned.lane(["open"], withDisplay())).toMatchObject({ code: 0, stdout: `${URL_OF_PAGE}\n` });
  await rm(path.join(bin, "xdg-open"));
  expect(await laned.lane(["open"], { ...withDisplay(), PATH: bin })).toMatchObject({ stdout: `${URL_OF_PAGE}\n` });
  await installOpener(`sleep 3; echo gone > ${bin}/gone`);
  expect(await laned.lane(["open"], withDisplay())).toMatchObject({ code: 0, stdout: "" });
  // It was not ended with us.
  await eventually("the end of the browser", () => existsSync(path.join(bin, "gone")));
}, 20_000);

it("says so when laned is not there", async () => {
  await laned.lane(["down"]);
  expect(await laned.lane(["open"])).toMatchObject({ code: 6 });
});
