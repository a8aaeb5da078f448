import { once } from "node:events";
import { createServer } from "node:net";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import type { Installation } from "./installation.ts";

/** Debian's; the runner may be root, where Chromium's own sandbox does not start. */
const CHROMIUM = "/usr/bin/chromium";

/** A browser, and everything that its pages said that they should not have said. */
export interface TestBrowser extends AsyncDisposable {
  /** A browser profile of its own, logged in to the installation: its first page. */
  open(home: Installation, opts?: BrowserContextOptions): Promise<Page>;
  /** Errors on the console and uncaught ones, of all pages up to now. */
  readonly complaints: readonly string[];
  /** Addresses that pages asked for outside the installation. */
  readonly outside: readonly string[];
  readonly browser: Browser;
}

/** Starts a browser. */
export async function startBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  const complaints: string[] = [];
  const outside: string[] = [];
  return {
    browser,
    complaints,
    outside,
    async open(home, opts = {}) {
      const url = await pageAddress(home);
      const context = await browser.newContext({ reducedMotion: "reduce", ...opts });
      watch(context, new URL(url).origin, { complaints, outside });
      context.setDefaultTimeout(10_000);
      const page = await context.newPage();
      await page.goto(url);
      await page.waitForSelector("main").catch(async (cause: unknown) => {
        const seen = await page.locator("body").innerHTML({ timeout: 1000 });
        throw new Error(`the page shows ${seen.slice(0, 500)}; it has said: ${complaints.slice(-5).join(" | ")}`, {
          cause,
        });
      });
      return page;
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** The page's address with a one-time code in it. */
export async function pageAddress(home: Installation): Promise<string> {
  const { stdout, stderr, code } = await home.lane(["open", "--print"]);
  if (code !== 0) throw new Error(`lane open --print ended with ${code}: ${stderr}`);
  return stdout.trim();
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function watch(context: BrowserContext, origin: string, found: { complaints: string[]; outside: string[] }): void {
  context.on("console", (message) => {
    // While the daemon is away the browser itself reports every call that failed.
    if (message.type() === "error" && !message.text().includes("net::ERR_"))
      found.complaints.push(`${message.text()} ${message.location().url}`);
  });
  context.on("weberror", (error) => found.complaints.push(String(error.error())));
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith("data:")) found.outside.push(url);
  });
}
