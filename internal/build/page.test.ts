import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { bundlePage, FIRST_LOAD_MAX_BYTES, type Page, pageDigest } from "./page.ts";

const REPOSITORY = join(import.meta.dirname, "..", "..");

describe("the page of this repository", () => {
  let page: Page;
  let document: string;
  const textOf = (path: string) => Buffer.from(page.files.get(path) ?? []).toString("utf8");

  beforeAll(async () => {
    page = await bundlePage(REPOSITORY);
    document = textOf("index.html");
  }, 30_000);

  it("weighs at most 70 KB gzipped at first load; the terminal comes when it is needed", () => {
    process.stdout.write(`the page: ${page.firstLoadBytes} bytes gzipped at first load, ${page.laterBytes} later\n`);
    expect(page.firstLoadBytes).toBeLessThanOrEqual(FIRST_LOAD_MAX_BYTES);
    const holding = [...page.files.keys()].filter((path) => textOf(path).includes("xterm-rows"));
    expect(holding.filter((path) => path.endsWith(".js"))).toEqual([expect.stringMatching(/^assets\/terminal-/)]);
    expect(document).not.toContain("assets/terminal");
  });

  it("is a document without inline script or style, that loads hashed files which are there", () => {
    expect(document).not.toMatch(/<style|style=|\son\w+=|javascript:/i);
    for (const [, attributes, body] of document.matchAll(/<script([^>]*)>([^<]*)/g)) {
      expect(attributes).toContain("src=");
      expect(body?.trim()).toBe("");
    }
    const loaded = [...document.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(loaded).toHaveLength(2);
    for (const path of loaded) {
      expect(path).toMatch(/^assets\/(main|style)-[A-Z0-9]{8}\.(js|css)$/);
      expect(page.files.has(path)).toBe(true);
    }
  });

  it("asks for nothing outside, and writes no styles that its policy forbids", () => {
    for (const [path, bytes] of page.files) {
      const text = Buffer.from(bytes).toString("utf8");
      if (path.endsWith(".css")) expect(text).not.toMatch(/@import|url\(\s*["']?(?!data:)/);
      expect(text).not.toMatch(/createElement\(["'`]style["'`]\)|setAttribute\(["'`]style["'`]/);
      expect(text).not.toContain("new Function(");
    }
  });

  it("is the same from the same sources, and another one has another digest", async () => {
    expect(pageDigest(await bundlePage(REPOSITORY))).toBe(pageDigest(page));
    const other = { ...page, files: new Map([...page.files, ["index.html", Buffer.from("other")]]) };
    expect(pageDigest(other)).not.toBe(pageDigest(page));
  });
});
