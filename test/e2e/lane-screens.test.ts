import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { ApiJob, ApiLane, ApiTerminalTicket } from "../../internal/protocol/index.ts";
import { callApi } from "../support/api.ts";
import { pageAddress, startBrowser, type TestBrowser } from "../support/browser.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";

/** The browser's own word on a job that could not be taken back any more: the page knows what to make of it. */
const REFUSED = /status of 409 .*\/withdraw$/;

/** Work, terminal, changes and drift of a real lane, in a real browser. */
describe("a lane's screens", () => {
  let home: Installation;
  let browser: TestBrowser;
  let lane: ApiLane;
  let origin: string;

  beforeAll(async () => {
    home = await newInstallation();
    const repo = await home.repository();
    await home.up();
    await home.json(["workspace", "add", repo]);
    lane = await home.json<ApiLane>(["add", "first"]);
    origin = new URL(await pageAddress(home)).origin;
    browser = await startBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });

  const issue = () => callApi<ApiTerminalTicket>(home, "POST", `/v1/lanes/${lane.id}/terminal`, { cols: 80, rows: 24 });

  /** What the terminal shows, without the spaces at the ends of its lines. */
  const shown = async (page: Page): Promise<string> => {
    const rows = await page.locator(".xterm-rows > div").allTextContents();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd()).join("\n");
  };
  const shows = (page: Page, text: string | RegExp) =>
    expect.poll(() => shown(page), { timeout: 10_000 }).toMatch(text);
  const start = async (page: Page) => {
    await page.goto(`${origin}/lanes/first/terminal`);
    await page.getByRole("button", { name: "Start a shell" }).click();
    await shows(page, /[#$] *$/m);
  };

  it("changes: files with counts and flags, the diff of each by the keyboard, and a merge that is looked at first", async () => {
    const work = [
      "mkdir .vscode && echo '{}' > .vscode/tasks.json && seq 1 2000 > long.txt && printf 'a\\342\\200\\256b<img src=x>\\n' > odd.txt",
      "git add . && git -c user.name=t -c user.email=t@t commit -qm work && echo more >> hello.txt",
    ].join(" && ");
    expect(await home.lane(["run", "first", "--", "sh", "-c", work])).toMatchObject({ code: 0 });
    const page = await browser.open(home, { viewport: { width: 1200, height: 800 } });
    await page.goto(`${origin}/lanes/first/changes`);
    const files = page.getByRole("navigation", { name: "Files" }).getByRole("listitem");
    await expect.poll(() => files.count(), { timeout: 10_000 }).toBe(4);
    expect(await files.allInnerTexts()).toEqual([
      expect.stringMatching(/tasks\.json\s+added\s+\+1 −0[\s\S]*runs on your host/),
      expect.stringMatching(/^hello\.txt\s+\+1 −0[\s\S]*not committed/),
      expect.stringMatching(/long\.txt\s+added\s+\+2000 −0/),
      expect.stringMatching(/odd\.txt/),
    ]);
    await page.getByText("a‹U+202E›b<img src=x>").waitFor();

    for (let i = 0; i < 3; i++) await page.keyboard.press("]");
    await page.keyboard.press("Enter");
    const long = page.getByRole("region", { name: "Changes of long.txt" });
    await long.getByText("1", { exact: true }).first().waitFor();
    const drawn = await long.locator("tr").count();
    expect(drawn).toBeLessThan(150);
    await long.press("End");
    await long.getByText("2000", { exact: true }).first().waitFor();
    await page.keyboard.press("[");
    expect(await page.evaluate("document.activeElement.closest('details').id")).toBe("file-1");

    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy patch" }).click();
    await page.getByText("The patch is copied.").waitFor();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    expect(copied.match(/^diff --git /gm)).toHaveLength(4);

    await page.getByRole("button", { name: "Merge…" }).click();
    const dialog = page.getByRole("dialog", { name: "Merge this lane" });
    await dialog.getByText("1 commit into main.").waitFor();
    const merge = dialog.getByRole("button", { name: "Merge", exact: true });
    expect(await merge.isDisabled()).toBe(true);
    await dialog.getByRole("checkbox").check();
    await merge.click();
    await page.getByText("1 commit merged into main.").waitFor();
    const { stdout } = await execa("git", ["-C", join(home.dir, "repo"), "log", "-1", "--format=%s"]);
    expect(stdout).toBe("work");
    await expect.poll(() => files.count(), { timeout: 10_000 }).toBe(1);
    process.stdout.write(`changes: ${drawn} rows in the document for 2001\n`);
    await page.close();
  });

  it("work: what is queued comes back into the box, with what stands there; what has begun stays", async () => {
    const page = await browser.open(home, { viewport: { width: 1000, height: 700 } });
    await page.goto(`${origin}/lanes/first`);
    const box = page.getByRole("textbox", { name: "Command" });
    await page.getByLabel("Kind of work").selectOption("command");
    const send = async (text: string, keys: string) => {
      await box.fill(text);
      await page.keyboard.press(keys);
      await expect.poll(() => box.inputValue()).toBe("");
    };
    await send("sleep 601", "Control+Enter");
    const states = page.locator(".job .state");
    await states.filter({ hasText: "running" }).waitFor();
    await send("echo second", "Control+Shift+Enter");
    await send("echo third", "Control+Enter");
    await states.filter({ hasText: "queued" }).nth(1).waitFor();

    await box.fill("and more");
    await page.keyboard.press("Alt+ArrowUp");
    await expect.poll(() => box.inputValue()).toBe("echo third\n\nand more");
    await expect.poll(() => states.filter({ hasText: "queued" }).count()).toBe(1);
    await box.fill("");
    await page.getByRole("button", { name: "Edit the last queued" }).click();
    await expect.poll(() => box.inputValue()).toBe("echo second");
    // Nothing is queued any more: the key means nothing, and what runs goes on.
    await page.keyboard.press("Alt+ArrowUp");
    expect(await box.inputValue()).toBe("echo second");
    await states.filter({ hasText: "running" }).waitFor();

    // It begins between the look and the press: another tab's view is as old.
    await page.keyboard.press("Control+Enter");
    await states.filter({ hasText: "queued" }).waitFor();
    await page.route("**/withdraw", async (route) => {
      const [running] = await callApi<ApiJob[]>(home, "GET", `/v1/lanes/${lane.id}/jobs?limit=10`).then((jobs) =>
        jobs.filter((job) => job.state === "running"),
      );
      await callApi(home, "POST", `/v1/jobs/${running?.id}/cancel`);
      const last = route.request().url().split("/").at(-2);
      await eventually(async () => (await callApi<ApiJob>(home, "GET", `/v1/jobs/${last}`)).startedAt !== null, {
        what: "the beginning of the queued job",
      });
      await route.continue();
    });
    await page.keyboard.press("Alt+ArrowUp");
    await page.getByText("Too late: it has just begun, and goes on.").waitFor();
    expect(await box.inputValue()).toBe("");
    await states.filter({ hasText: "succeeded" }).last().waitFor();
    await page.close();
  });

  it("views of a lane by two keys, there and back", async () => {
    const page = await browser.open(home, { viewport: { width: 1000, height: 700 } });
    await page.goto(`${origin}/lanes/first`);
    await page.getByRole("heading", { name: "first" }).waitFor();
    const path = () => new URL(page.url()).pathname.replace(lane.id, "first");
    const press = async (...keys: readonly string[]) => {
      // Sent at once, in order: half a second between two keys is soon over on a machine that has others to run.
      await Promise.all(keys.map((key) => page.keyboard.press(key)));
      return path();
    };
    expect(await press("v", "l")).toBe("/lanes/first/logs");
    await page.getByRole("cell", { name: "ready" }).first().waitFor();
    await page
      .getByRole("group", { name: "Output of the container" })
      .or(page.getByText("It has said nothing."))
      .waitFor();
    expect(await press("v", "l")).toBe("/lanes/first");
    expect(await press("v", "c")).toBe("/lanes/first/changes");
    expect(await press("v", "g")).toBe("/lanes/first/drift");
    expect(await press("v", "g")).toBe("/lanes/first");
    // Too slow for a pair.
    await page.keyboard.press("v");
    await page.waitForTimeout(700);
    expect(await press("l")).toBe("/lanes/first");
    expect(await press("g", "t")).toBe("/");
    expect(new URL(page.url()).searchParams.get("kind")).toBe("approval");
    expect(await press("g", "s")).toBe("/health");
    await page.close();
  });

  it("drift: was and is of each field, and a recreation that is asked for", async () => {
    await home.json(["set", "first", "drift=hold"]);
    const page = await browser.open(home, { viewport: { width: 1000, height: 700 } });
    await page.goto(`${origin}/lanes/first/drift`);
    await page.getByText("The container is as it should be.").waitFor();
    await home.json(["set", "first", "limits.pids=321"]);
    await page.getByRole("cell", { name: "321" }).waitFor();
    await page.getByText("keeps its container until you say otherwise").waitFor();
    await page.getByRole("button", { name: "Recreate now…" }).click();
    await page.getByRole("button", { name: "Recreate", exact: true }).click();
    await page.getByText("generation 2").waitFor();
    await page.getByText("The container is as it should be.").waitFor();
    await page.close();
    await expect
      .poll(async () => (await home.json<ApiLane>(["show", "first"])).state, { timeout: 10_000 })
      .toBe("ready");
  });

  it("a terminal starts nothing by itself, types, follows the window's size, and ends with its tab", async () => {
    const page = await browser.open(home, { viewport: { width: 1000, height: 700 } });
    await page.goto(`${origin}/lanes/first/terminal`);
    await page.getByText("A shell as the lane's agent").waitFor();
    expect(shellsIn(lane)).toEqual([]);

    await start(page);
    await page.keyboard.type("id -u; pwd; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; stty size\n");
    await shows(page, /CapBnd:\s+0{16}\nNoNewPrivs:\s+1\n(\d+) (\d+)\n/);
    const text = await shown(page);
    expect(text).toContain("/workspace\n");
    const [, rows, cols] = /\n(\d+) (\d+)\n/.exec(text) ?? [];

    await page.setViewportSize({ width: 700, height: 500 });
    // The shell's own idea of its size, asked for until the new one has arrived.
    const size = await eventually(
      async () => {
        await page.keyboard.type("clear; stty size\n");
        await page.waitForTimeout(150);
        const now = /^(\d+) (\d+)$/m.exec(await shown(page));
        return now !== null && Number(now[2]) < Number(cols) && Number(now[1]) < Number(rows) ? now[0] : null;
      },
      { what: "the new size" },
    );
    process.stdout.write(`terminal: ${rows} ${cols} at 1000x700, ${size} at 700x500\n`);

    const mark = `7${Date.now()}`;
    await page.keyboard.type(
      `sleep ${mark}1 & nohup sleep ${mark}2 >/dev/null 2>&1 & setsid sleep ${mark}3 & (env -i sleep ${mark}4 &); echo re''ady\n`,
    );
    await shows(page, /^ready$/m);
    expect(processesWith(mark)).toHaveLength(4);
    const closedAtMs = performance.now();
    await page.close();
    await eventually(() => processesWith(mark).length === 0 && shellsIn(lane).length === 0, {
      what: "the end of what ran in the terminal",
      withinMs: 10_000,
    });
    process.stdout.write(
      `terminal: 0 processes left ${Math.round(performance.now() - closedAtMs)} ms after its tab was closed\n`,
    );
  });

  it("a terminal says that the shell has ended, and how, and starts another one", async () => {
    const page = await browser.open(home, { viewport: { width: 1000, height: 700 } });
    await start(page);
    await page.keyboard.type("exit 3\n");
    await page.getByText("The shell has ended: 3.").waitFor();
    await page.getByRole("button", { name: "Start another shell" }).click();
    await shows(page, /[#$] *$/m);
    await page.keyboard.press("Control+Alt+x");
    await expect.poll(() => page.evaluate("document.activeElement?.textContent")).toBe("End the shell");
    await page.keyboard.press("Enter");
    await page.getByText("Ended.").waitFor();
    await page.close();
    expect(browser.complaints.filter((text) => !REFUSED.test(text))).toEqual([]);
    expect(browser.outside).toEqual([]);
  });

  it("a terminal stops a flood of output where nobody draws it, and goes on when somebody does", async () => {
    const ticket = await issue();
    const socket = new WebSocket(`${origin.replace("http", "ws")}${ticket.path}`, [ticket.protocol, ticket.ticket], {
      origin,
    });
    let received = 0;
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) received += data.length;
    });
    await new Promise((resolve) => socket.once("open", resolve));
    // Typed before there is a shell: it waits.
    socket.send(Buffer.from("yes\n"));
    await eventually(() => received > 500_000, { what: "the flood" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const stopped = received;
    expect(stopped).toBeLessThan(700_000);
    const rssBefore = rssOf((await home.daemonPid()) as number);
    for (let i = 0; i < 20; i++) {
      const before = received;
      socket.send(JSON.stringify({ type: "ack", bytes: 500_000 }));
      await eventually(() => received > before + 200_000, { what: "more of it" });
    }
    const grownMib = (rssOf((await home.daemonPid()) as number) - rssBefore) / 1024;
    process.stdout.write(
      `terminal: stopped after ${stopped} bytes undrawn; ${received} bytes in all, laned grew by ${grownMib.toFixed(1)} MiB\n`,
    );
    expect(grownMib).toBeLessThan(40);
    socket.terminate();
    await eventually(() => shellsIn(lane).length === 0, { what: "the end of the shell", withinMs: 10_000 });
  });

  it("a terminal ends with the daemon; what one that was killed has left is ended by the next", async () => {
    const page = await browser.open(home, { viewport: { width: 1000, height: 700 } });
    await start(page);
    expect(shellsIn(lane).length).toBeGreaterThan(0);
    const downAtMs = performance.now();
    await home.lane(["down"]);
    process.stdout.write(`terminal: laned was down after ${Math.round(performance.now() - downAtMs)} ms\n`);
    expect(shellsIn(lane)).toEqual([]);

    await home.up();
    origin = new URL(await pageAddress(home)).origin;
    const other = await browser.open(home, { viewport: { width: 1000, height: 700 } });
    await start(other);
    await home.kill9();
    expect(shellsIn(lane).length).toBeGreaterThan(0);
    await home.up();
    await eventually(() => shellsIn(lane).length === 0, { what: "the end of what was left", withinMs: 15_000 });
    await Promise.all([page.close(), other.close()]);
  });
});

/** Pids of this machine's processes, lanes' ones included, whose command line holds this text. */
function processesWith(text: string): readonly string[] {
  return processes((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .some((word) => word.startsWith(text)),
  );
}

/** Processes of terminals in this lane. */
function shellsIn(lane: ApiLane): readonly string[] {
  return processes((pid) => {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return environment.includes(`INBOX_LANE_ID=${lane.id}`) && /^LANEKEEPER_TERMINAL=/m.test(environment.join("\n"));
  });
}

function processes(matches: (pid: string) => boolean): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && matches(pid);
    } catch {
      return false;
    }
  });
}

/** KiB. */
function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
