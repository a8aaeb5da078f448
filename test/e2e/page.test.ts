import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ApiInboxItem, ApiInboxPage, ApiJob, ApiLane } from "../../internal/protocol/index.ts";
import { callApi } from "../support/api.ts";
import { axeFindings } from "../support/axe.ts";
import { freePort, startBrowser, type TestBrowser } from "../support/browser.ts";
import { FULL } from "../support/full.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";

const SHOTS = join(import.meta.dirname, "..", "..", "test-artifacts", "screens");
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 320, height: 640 };

/** The browser's own word on a lane that was asked for just when it went: the page knows what to make of it. */
const GONE = /status of 404 .*[/=]second-/;

/** The page in a real browser, against the real daemon and a real lane. */
describe("the page", () => {
  let home: Installation;
  let browser: TestBrowser;
  let lane: ApiLane;
  let page: Page;

  beforeAll(async () => {
    await mkdir(SHOTS, { recursive: true });
    // The same port after a restart, as the default one of an installation is.
    home = await newInstallation({ env: { LANEKEEPER_API_PORT: String(await freePort()) } });
    const repo = await home.repository();
    await home.up();
    await home.json(["workspace", "add", repo]);
    lane = await home.json<ApiLane>(["add", "first"]);
    browser = await startBrowser();
    page = await browser.open(home, { viewport: WIDE });
  }, 120_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });
  afterEach(() => {
    expect(browser.complaints.filter((text) => !GONE.test(text))).toEqual([]);
    expect(browser.outside).toEqual([]);
  });

  /** A job that asks, and writes down what it was told. */
  async function ask(question: string, ...more: readonly string[]): Promise<ApiJob> {
    const script = 'inbox ask "$@" > answer.txt; echo "told: $(cat answer.txt)"';
    return home.json<ApiJob>(["run", "first", "--detach", "--", "sh", "-c", script, "sh", question, ...more]);
  }
  const item = (title: string) => page.getByRole("option", { name: title });
  const ended = (job: ApiJob) =>
    eventually(
      async () => {
        const now = await callApi<ApiJob>(home, "GET", `/v1/jobs/${job.id}`);
        return now.endedAt === null ? null : now;
      },
      { what: `the end of job ${job.id}` },
    );
  const openItem = async (title: string): Promise<ApiInboxItem> =>
    eventually(
      async () =>
        (await callApi<ApiInboxPage>(home, "GET", "/v1/inbox")).items.find((one) => one.title === title) ?? null,
      { what: `the item ${title}` },
    );

  it("shows a question without a reload, and its answer by the keyboard lets the job go on", async () => {
    await page.getByText("Nothing needs you.").waitFor();
    const job = await ask("Which colour?", "--choice", "red", "--choice", "blue");
    await item("Which colour?").waitFor();
    await expect.poll(() => page.title()).toBe("(1) Lanekeeper");
    expect(await page.getAttribute('link[rel="icon"]', "href")).toContain(encodeURIComponent(">1<"));
    await page.locator(".detail .choice").first().waitFor();
    // Taken back in time: nothing was sent.
    await page.keyboard.press("1");
    await page.getByText("Answering “red”").waitFor();
    await expect.poll(() => item("Which colour?").count()).toBe(0);
    await page.keyboard.press("u");
    await item("Which colour?").waitFor();
    await page.locator(".detail .choice").first().waitFor();
    await page.keyboard.press("2");
    expect(await ended(job)).toMatchObject({ state: "succeeded" });
    const stored = (await callApi<ApiInboxPage>(home, "GET", "/v1/inbox?state=done")).items[0];
    expect(stored).toMatchObject({ title: "Which colour?", answer: "blue", by: "page", state: "answered" });
    await page.getByText("Nothing needs you.").waitFor();
  });

  it("agrees with another tab and with the CLI, and says who was faster", async () => {
    const second = await page.context().newPage();
    await second.goto(new URL("/", page.url()).href);
    const job = await ask("Free text?");
    await item("Free text?").waitFor();
    await second.getByRole("option", { name: "Free text?" }).waitFor();
    await page.locator(".detail textarea").waitFor();
    await page.keyboard.press("r");
    await page.keyboard.type("jenkins 1?");
    const { id } = await openItem("Free text?");
    expect((await home.lane(["answer", id, "from the CLI"])).code).toBe(0);
    // What was being written stays in sight, with who answered.
    await page.getByText("Answered on the command line: from the CLI").waitFor();
    await second.getByText("Nothing needs you.").waitFor();
    expect(await ended(job)).toMatchObject({ state: "succeeded" });
    await second.close();
  });

  it("serves more tabs than a browser has connections, also when the first one goes", async () => {
    const { context, address } = { context: page.context(), address: new URL("/", page.url()).href };
    const rest = await Promise.all(Array.from({ length: 8 }, () => context.newPage()));
    for (const tab of rest) await tab.goto(address);
    for (const tab of rest) await tab.getByText("Nothing needs you.").waitFor();
    // It was the first, and follows the feed for all.
    await page.close();
    await callApi(home, "POST", `/v1/lanes/${lane.id}/jobs`, { kind: "command", argv: ["false"] });
    for (const tab of rest) await tab.locator(".item-row", { hasText: "Failed" }).waitFor();
    const [failed] = (await callApi<ApiInboxPage>(home, "GET", "/v1/inbox")).items;
    await callApi(home, "POST", `/v1/inbox/${failed?.id}/done`, {});
    for (const tab of rest) await tab.getByText("Nothing needs you.").waitFor();
    page = rest[0] ?? page;
    for (const tab of rest.slice(1)) await tab.close();
  });

  it("loses nothing when the daemon is killed between question and answer", async () => {
    await page.goto(new URL("/", page.url()).href);
    const job = await ask("Still there?", "--choice", "yes", "--choice", "no");
    await item("Still there?").waitFor();
    await home.kill9();
    await page.getByText("The daemon does not answer").waitFor();
    expect(await item("Still there?").count()).toBe(1);
    await home.up();
    await page.getByText("The daemon does not answer").waitFor({ state: "detached" });
    await page.locator(".detail .choice").first().waitFor();
    await page.keyboard.press("1");
    // Nor when the page goes while an answer can still be taken back.
    const address = page.url();
    await page.goto("about:blank");
    expect(await ended(job)).toMatchObject({ state: "succeeded" });
    await page.goto(address);
  });

  it("puts items away, snoozes them and brings them back, by keys", async () => {
    await callApi(home, "POST", `/v1/lanes/${lane.id}/jobs`, { kind: "command", argv: ["false"] });
    await page.locator(".item-row", { hasText: "Failed" }).waitFor();
    await page.locator(".detail h2").waitFor();
    await page.keyboard.press("h");
    await page.getByRole("dialog", { name: "Snooze" }).waitFor();
    await page.keyboard.press("2");
    await page.getByText("Nothing needs you.").waitFor();
    await page.getByRole("link", { name: "Snoozed" }).click();
    await page.getByText("Snoozed until").waitFor();
    await page.keyboard.press("u");
    await page.getByRole("link", { name: "Open" }).click();
    await page.locator(".item-row", { hasText: "Failed" }).waitFor();
    await page.locator(".detail h2").waitFor();
    await page.keyboard.press("e");
    await page.getByText("Nothing needs you.").waitFor();
  });

  it("approves and denies proposals, the denial with its reason", async () => {
    await home.json(["run", "first", "--detach", "--", "inbox", "task", "create", "Rewrite it all"]);
    await item("Rewrite it all").waitFor();
    await page.locator(".detail", { hasText: "Approve" }).waitFor();
    await page.keyboard.press("x");
    await page.keyboard.type("not now");
    await page.keyboard.press("Control+Enter");
    await page.getByText("Nothing needs you.").waitFor();
    await page.getByRole("link", { name: "Done" }).click();
    await item("Rewrite it all").click();
    await page.getByText("Answered in the page: reject: not now").waitFor();
    await page.getByRole("link", { name: "Open" }).click();
  });

  it("makes a lane, runs a command in it, and shows its output as it comes", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("l");
    await page.getByRole("heading", { name: "Lanes" }).waitFor();
    await page.keyboard.press("n");
    await page.getByLabel("Name").fill("second");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "second" }).waitFor();
    await page.locator(".lane-head .state", { hasText: "ready" }).waitFor();
    await page.getByLabel("Kind of work").selectOption("command");
    await page.keyboard.press("r");
    await page.keyboard.type("echo one; sleep 600");
    await page.keyboard.press("Control+Enter");
    await page.locator(".output", { hasText: "one" }).waitFor();
    // Single letters mean something again once nobody types.
    await page.keyboard.press("Escape");
    await page.keyboard.press("s");
    await page.getByRole("button", { name: "Stop it" }).click();
    await page.locator(".job .state", { hasText: "cancelled" }).waitFor();
  });

  it("says so when the lane that is shown goes", async () => {
    expect((await home.lane(["rm", "second", "--force"])).code).toBe(0);
    await page.getByText("Lane second was removed.").waitFor();
  });

  it("has no serious fault for people with other senses, in light and dark, wide and narrow", async () => {
    const job = await ask("**Which** way, of these?", "--choice", "the short one", "--choice", "the long one");
    const { id } = await openItem("**Which** way, of these?");
    const addresses = {
      inbox: `/?item=${id}`,
      lanes: "/lanes",
      lane: `/lanes/${lane.id}`,
      changes: `/lanes/${lane.id}/changes`,
      logs: `/lanes/${lane.id}/logs`,
      drift: `/lanes/${lane.id}/drift`,
      health: "/health",
    };
    const found: string[] = [];
    for (const [name, path] of Object.entries(addresses)) {
      await page.goto(new URL(path, page.url()).href);
      await page.getByRole("heading").first().waitFor();
      await expect.poll(() => page.getByText("Loading…").count(), { timeout: 20_000 }).toBe(0);
      for (const scheme of ["light", "dark"] as const) {
        for (const [size, viewport] of Object.entries({ wide: WIDE, 320: NARROW })) {
          await page.emulateMedia({ colorScheme: scheme });
          await page.setViewportSize(viewport);
          await page.screenshot({ path: join(SHOTS, `${name}-${scheme}-${size}.png`) });
          found.push(...(await page.evaluate<string[]>(TOO_WIDE)).map((text) => `${name} ${size} too wide: ${text}`));
          // Each of the four looks takes a second or two: the colours in one size, the order in the other.
          if (!FULL && (scheme === "light") !== (size === "wide")) continue;
          found.push(...(await axeFindings(page)).map((text) => `${name} ${scheme} ${size} ${text}`));
        }
      }
      await page.setViewportSize(WIDE);
      found.push(...(await unreachable(page)).map((text) => `${name} cannot be reached by Tab: ${text}`));
    }
    expect(found).toEqual([]);
    await callApi(home, "POST", `/v1/jobs/${job.id}/cancel`);
  }, 90_000);

  it("lists its keys, and finds everything in the command bar", async () => {
    await page.goto(new URL("/", page.url()).href);
    await page.getByRole("heading", { name: "Inbox" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.screenshot({ path: join(SHOTS, "keys-dark-wide.png") });
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Command or lane" }).fill("lane fir");
    await page.screenshot({ path: join(SHOTS, "commands-dark-wide.png") });
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "first" }).waitFor();
  });
});

/** What stands out beyond the right edge, when the page is wider than the window. */
const TOO_WIDE = `document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map((one) => one.outerHTML.slice(0, 120))`;

/** Numbers all controls that can be seen, and says what they are. */
const NUMBER_CONTROLS = `(() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  const seen = all.filter((one) => one.checkVisibility() && !one.matches(":disabled"));
  for (const [at, one] of seen.entries()) one.dataset.control = String(at);
  document.activeElement?.blur();
  return seen.map((one) => one.outerHTML.slice(0, 120));
})()`;

/** Controls that can be seen, but that pressing Tab never comes to. */
async function unreachable(page: Page): Promise<readonly string[]> {
  const controls = await page.evaluate<string[]>(NUMBER_CONTROLS);
  const reached = new Set<string | undefined>();
  for (let presses = 0; presses < controls.length + 5; presses++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate<string | undefined>("document.activeElement?.dataset.control"));
  }
  return controls.filter((_, at) => !reached.has(String(at)));
}
