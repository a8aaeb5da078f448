import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiInboxItem, ApiInboxPage, ApiLane } from "../../internal/protocol/index.ts";
import { callApi } from "../support/api.ts";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { type Installation, newInstallation } from "../support/installation.ts";

/**
 * Notes what the page makes of the browser's own notifications and tones; they are made all the same. Whether the tab is
 * looked at is what the test says: a browser without a screen always says yes.
 */
const RECORD = `
  window.notified = [];
  window.Notification = new Proxy(Notification, {
    construct(target, args) {
      const made = new target(...args);
      window.notified.push({ title: args[0], body: args[1].body, made });
      return made;
    },
  });
  window.tones = 0;
  const tone = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () { window.tones++; return tone.call(this); };
  let isLookedAt = true;
  Object.defineProperty(Document.prototype, "hidden", { get: () => !isLookedAt });
  document.hasFocus = () => isLookedAt;
  window.look = (now) => { isLookedAt = now; document.dispatchEvent(new Event("visibilitychange")); };
`;
const PATIENT = { timeout: 5000 };
/** Longer than news is gathered and told. */
const TOLD_MS = 700;

/** What a person is told of new items, and what the page knows of what a person has seen; in two tabs of one browser. */
describe("news in the page", () => {
  let home: Installation;
  let browser: TestBrowser;
  let lane: ApiLane;
  let context: BrowserContext;
  let tabs: readonly [Page, Page];

  beforeAll(async () => {
    home = await newInstallation();
    const repo = await home.repository();
    await home.up();
    await home.json(["workspace", "add", repo]);
    lane = await home.json<ApiLane>(["add", "first"]);
    browser = await startBrowser();
    const page = await browser.open(home, { viewport: { width: 1280, height: 800 } });
    context = page.context();
    await context.grantPermissions(["notifications"], { origin: new URL(page.url()).origin });
    await context.addInitScript(RECORD);
    tabs = [page, await context.newPage()];
    for (const tab of tabs) {
      await tab.goto(new URL("/", page.url()).href);
      await tab.getByText("Nothing needs you.").waitFor();
    }
  }, 120_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });

  const look = async (...isLookedAt: readonly [boolean, boolean]) => {
    for (const [at, tab] of tabs.entries()) await tab.evaluate(`window.look(${isLookedAt[at]})`);
  };
  const sum = async (what: string) => {
    const counts = await Promise.all(tabs.map((tab) => tab.evaluate<number>(what)));
    return counts.reduce((all, count) => all + count, 0);
  };
  const start = (question: string) =>
    callApi(home, "POST", `/v1/lanes/${lane.id}/jobs`, { kind: "command", argv: ["inbox", "ask", question] });
  const newest = async (): Promise<ApiInboxItem> => {
    const [item] = (await callApi<ApiInboxPage>(home, "GET", "/v1/inbox")).items;
    if (item === undefined) throw new Error("nothing is open");
    return item;
  };
  /** A job of the lane asks; resolves when both tabs know and whoever is told has been told. */
  const ask = async (question: string): Promise<ApiInboxItem> => {
    await start(question);
    for (const tab of tabs) await tab.getByRole("option", { name: question }).waitFor({ state: "attached" });
    await tabs[0].waitForTimeout(TOLD_MS);
    return newest();
  };
  /** Lets its job go on and end. */
  const answer = ({ id }: ApiInboxItem) => callApi(home, "POST", `/v1/inbox/${id}/answer`, { answer: "yes" });

  it("is silent until a person turns it on", async () => {
    await look(false, false);
    await answer(await ask("Is this silent?"));
    expect([await sum("notified.length"), await sum("tones")]).toEqual([0, 0]);
  });

  it("is one notification and one sound for all tabs, whose click leads to the item", async () => {
    await look(true, false);
    await tabs[0].getByRole("checkbox", { name: "Notify me" }).check();
    await tabs[0].getByRole("checkbox", { name: "Sound" }).check();
    await expect.poll(() => sum("tones")).toBe(2);
    // Another part of the inbox tells just as well.
    await tabs[1].getByRole("link", { name: "Snoozed" }).click();
    await tabs[0].getByRole("link", { name: "Done" }).click();
    await look(false, false);
    const long = `Which of these? <b>${"x".repeat(300)}`;
    await start(long);
    await expect.poll(() => sum("notified.length"), PATIENT).toBe(1);
    await tabs[0].waitForTimeout(TOLD_MS);
    expect([await sum("notified.length"), await sum("tones")]).toEqual([1, 4]);
    const [teller] = await Promise.all(tabs.map((tab) => tab.evaluate<number>("notified.length"))).then((counts) =>
      tabs.filter((_, at) => counts[at] === 1),
    );
    if (teller === undefined) throw new Error("nobody told");
    const { title, body } = await teller.evaluate<{ title: string; body: string }>("notified[0]");
    expect([title, body.length, body.slice(0, 20)]).toEqual(["Question · first", 180, "Which of these? <b>x"]);
    await teller.evaluate("notified[0].made.dispatchEvent(new Event('click'))");
    await teller.locator(".detail h2", { hasText: "Which of these?" }).waitFor();
    const item = await newest();
    expect(new URL(teller.url()).search).toBe(`?item=${item.id}`);
    for (const tab of tabs) await tab.goto(new URL("/", tab.url()).href);
    await answer(item);
  });

  it("is no notification while a person looks at one of the tabs, nor once it is turned off", async () => {
    await look(true, false);
    await answer(await ask("Do you see this?"));
    expect(await sum("notified.length")).toBe(0);
    await look(false, false);
    const seen = await ask("And this?");
    expect(await sum("notified.length")).toBe(1);
    await answer(seen);
    await tabs[1].getByRole("checkbox", { name: "Notify me" }).uncheck();
    await expect.poll(() => tabs[0].getByRole("checkbox", { name: "Notify me" }).isChecked(), PATIENT).toBe(false);
    await answer(await ask("Or this?"));
    expect(await sum("notified.length")).toBe(1);
  });

  it("stays new until a person has looked at it for a moment, in both tabs and for the CLI, or marks it", async () => {
    await look(false, false);
    const { id } = await ask("Have you read this?");
    const isNew = (tab: Page) => tab.getByRole("option", { name: "Have you read this?" }).getByText("New").count();
    const inCli = async () => (await home.json<ApiInboxItem>(["inbox", id])).read;
    await tabs[0].getByRole("option", { name: "Have you read this?" }).click();
    await tabs[0].locator(".detail h2", { hasText: "Have you read this?" }).waitFor();
    await tabs[0].waitForTimeout(1500);
    expect([await isNew(tabs[0]), await isNew(tabs[1]), await inCli()]).toEqual([1, 1, false]);
    await look(true, false);
    for (const tab of tabs) await expect.poll(() => isNew(tab), PATIENT).toBe(0);
    expect(await inCli()).toBe(true);
    await tabs[0].getByRole("button", { name: "Mark as new" }).waitFor();
    await tabs[0].keyboard.press("m");
    for (const tab of tabs) await expect.poll(() => isNew(tab), PATIENT).toBe(1);
    // What was marked by hand stays so, and is as open as before.
    await tabs[0].waitForTimeout(1500);
    expect([await isNew(tabs[0]), await inCli(), await tabs[0].title()]).toEqual([1, false, "(1) Lanekeeper"]);
  });

  it("is found by its words, by key", async () => {
    const [tab] = tabs;
    await tab.keyboard.press("/");
    await tab.keyboard.type("nothing like it");
    await tab.getByText("Nothing is like that.").waitFor();
    await tab.getByRole("searchbox", { name: "Search items" }).fill("HAVE YOU");
    await tab.getByRole("option", { name: "Have you read this?" }).waitFor();
    expect(await tab.evaluate("document.activeElement.type")).toBe("search");
    await answer(await newest());
    expect(browser.complaints).toEqual([]);
    expect(browser.outside).toEqual([]);
  });
});
