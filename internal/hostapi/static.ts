import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Access } from "./guard.ts";
import { SECURITY_HEADERS } from "./http.ts";

/** The page's files. */
export interface PageFiles {
  /** The document for every address of the page; an asset by its exact path; null for what there is not. */
  find(access: Access, path: string): Promise<PageFile | null>;
}

/** One file of the page. */
export interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** Its name changes with its content. */
  readonly isHashed: boolean;
}

interface Page {
  readonly document: PageFile | null;
  /** By path, as `/assets/main-ABCD1234.js`. */
  readonly assets: ReadonlyMap<string, PageFile>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
};

/**
 * Everything from our own origin, no inline script or style, and no markup from text. `data:` images are
 * the icon with its count.
 */
const PAGE_CSP = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join("; ");

const PAGE_HEADERS: Readonly<Record<string, string>> = {
  ...SECURITY_HEADERS,
  "content-security-policy": PAGE_CSP,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "permissions-policy":
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), " +
    "magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()",
};

/**
 * The page below `dir` (`dist/web`). Read whole with the first request, so that a daemon without a page costs nothing, and
 * a later build does not mix its files into a page that is being used.
 */
export function openPageFiles(dir: string): PageFiles {
  let reading: Promise<Page> | null = null;
  const read = () => {
    reading ??= readAll(dir).catch((error: unknown) => {
      reading = null;
      throw error;
    });
    return reading;
  };
  return {
    async find(access, path) {
      if (access !== "document" && access !== "asset") return null;
      const { document, assets } = await read();
      return access === "document" ? document : (assets.get(path) ?? null);
    },
  };
}

/** A file of the page as a response. */
export function toPageResponse(file: PageFile): Response {
  return new Response(file.bytes, {
    headers: {
      ...PAGE_HEADERS,
      "content-type": file.contentType,
      "cache-control": file.isHashed ? "public, max-age=31536000, immutable" : "no-store",
    },
  });
}

async function readAll(dir: string): Promise<Page> {
  const assets = new Map<string, PageFile>();
  for (const name of await readdir(join(dir, "assets"))) {
    const file = await readPageFile(join(dir, "assets", name), true);
    if (file !== null) assets.set(`/assets/${name}`, file);
  }
  return { document: await readPageFile(join(dir, "index.html"), false), assets };
}

async function readPageFile(path: string, isHashed: boolean): Promise<PageFile | null> {
  const contentType = TYPES[extname(path)];
  return contentType === undefined ? null : { bytes: new Uint8Array(await readFile(path)), contentType, isHashed };
}
