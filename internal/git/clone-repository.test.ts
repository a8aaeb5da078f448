import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cloneRepository, sweepClones } from "./clone-repository.ts";
import { parseCloneUrl } from "./clone-url.ts";
import { describeRepository } from "./describe-repository.ts";
import type { HardenedGit } from "./hardened-git.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";

describe("parseCloneUrl", () => {
  it.each([
    ["https://example.test/team/shop.git", "shop"],
    ["https://example.test:8443/shop/", "shop"],
    ["ssh://git@example.test:2222/~ada/shop.git", "shop"],
    ["ssh://git@[::1]/shop", "shop"],
    ["git@example.test:team/shop.git", "shop"],
    ["example.test:shop", "shop"],
    ["file:///srv/git/..hidden.git", "hidden"],
    ["file:///srv/a%20b/.git", "a-b"],
    ["https://example.test/日本", "repository"],
  ])("takes %s", (url, name) => {
    expect(parseCloneUrl(url)).toEqual({ url, name });
  });

  it.each([
    "--upload-pack=touch x",
    "-c",
    "ext::sh -c id",
    "fd::17",
    "ext::sh://x/y",
    "git://example.test/shop",
    "ftp://example.test/shop",
    "HTTPS://example.test/shop",
    "ssh://-oProxyCommand=id/shop",
    "ssh://-l@example.test/shop",
    "ssh://example.test/-x",
    "-oProxyCommand=id:shop",
    "example.test:-x",
    "git@-x:shop",
    "-oProxyCommand@host:shop",
    "file://other.test/shop",
    "https://example.test",
    "https:///shop",
    "https://ada:secret@example.test/shop",
    "https://token@example.test/shop",
    "https://example.test/a b",
    "https://example.test/a\nb",
    "https://example.test\\@x/y",
    "/srv/shop",
    "../shop",
    "",
    `https://example.test/${"x".repeat(3000)}`,
  ])("refuses %j, and repeats no secret", (url) => {
    let error: unknown = null;
    try {
      parseCloneUrl(url);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code: "usage.invalid" });
    expect((error as Error).message).not.toMatch(/secret|token@/);
  });

  it("never lets through what git would take for an option or for a transport that runs programs", () => {
    const piece = fc.constantFrom(
      "-",
      "--",
      "ext::",
      "fd::",
      "://",
      ":",
      "@",
      "ssh",
      "file",
      "/",
      "..",
      " ",
      "\n",
      "a",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 8 }), (pieces) => {
        let url = "";
        try {
          url = parseCloneUrl(pieces.join("")).url;
        } catch {
          return;
        }
        // User, host and the start of a path are words for ssh and for the other side's program.
        const options = [/^-/, /^[^/:]*@-/, /^\w+:\/\/[^/]*@-/, /^[^/:]*:-/, /^\w+:\/\/[^/]*\/-/];
        expect([...options, /^[a-z]+::/i, /[\s\\]/].filter((bad) => bad.test(url))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("cloneRepository", () => {
  let t: TestRepo;
  let root: string;
  beforeEach(() => {
    t = makeTestRepo();
    root = join(t.root, "repositories");
  });
  afterEach(() => t.dispose());
  const clone = (git: HardenedGit = t.git, more: { readonly signal?: AbortSignal } = {}) =>
    cloneRepository(git, { from: parseCloneUrl(`file://${t.path}`), root, name: "shop", ...more });

  it("clones with a work tree, tells how far it is, takes the next free name, and runs nothing of the repository", async () => {
    t.write(join(t.path, ".gitattributes"), "*.txt filter=evil\n");
    t.raw(t.path, "add", ".");
    t.raw(t.path, "commit", "--quiet", "-m", "attributes");
    const config = `[user]\n\tname = T\n[filter "evil"]\n\tsmudge = touch ${t.root}/canary; cat\n`;
    t.write(join(t.root, "home", ".gitconfig"), config);
    const told: string[] = [];
    const onProgress = (phase: string, percent: number) => void told.push(`${phase} ${percent}`);
    const from = parseCloneUrl(`file://${t.path}`);
    const path = await cloneRepository(t.git, { from, root, name: "shop", onProgress });
    expect(path).toBe(join(root, "shop"));
    expect(told).toContain("receiving objects 100");
    expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("one\n");
    expect(existsSync(join(t.root, "canary"))).toBe(false);
    expect(existsSync(join(path, ".git", "hooks"))).toBe(false);
    expect(t.raw(path, "status", "--porcelain")).toBe("");
    expect(await describeRepository(t.git, path, {})).toMatchObject({ path, branch: "main" });
    mkdirSync(join(root, "shop-2.lanes"));
    expect(await clone()).toBe(join(root, "shop-3"));
  });

  it("leaves nothing when it fails or is cancelled, and sweeps what a killed one left", async () => {
    const gone = { from: parseCloneUrl(`file://${t.root}/none`), root, name: "shop" };
    await expect(cloneRepository(t.git, gone)).rejects.toMatchObject({
      code: "workspace.invalid",
      message: expect.stringMatching(/could not be cloned: .*none/),
    });
    const controller = new AbortController();
    const cancelling: HardenedGit = (call) => {
      if (call.args[0] === "reset") controller.abort();
      return t.git(call);
    };
    await expect(clone(cancelling, { signal: controller.signal })).rejects.toMatchObject({ code: "cancelled" });
    expect(readdirSync(root)).toEqual([]);
    mkdirSync(join(root, ".cloning-abc", ".git"), { recursive: true });
    mkdirSync(join(root, "kept"));
    await sweepClones(root);
    expect(readdirSync(root)).toEqual(["kept"]);
  });

  it("clones over http, and ends at once when it is cancelled while the other side says nothing", async () => {
    const bare = join(t.root, "served.git");
    t.raw(t.root, "clone", "--quiet", "--bare", t.path, bare);
    t.raw(bare, "update-server-info");
    let isMute = false;
    const server = createServer((request, answer) => {
      const file = join(t.root, new URL(request.url ?? "/", "http://localhost").pathname);
      if (isMute) return;
      if (!existsSync(file) || !statSync(file).isFile()) return void answer.writeHead(404).end();
      answer.end(readFileSync(file));
    }).listen(0, "127.0.0.1");
    try {
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const from = parseCloneUrl(`http://127.0.0.1:${port}/served.git`);
      const path = await cloneRepository(t.git, { from, root, name: from.name });
      expect(t.raw(path, "log", "--format=%s")).toBe("first");
      isMute = true;
      const stop = new AbortController();
      const cut = cloneRepository(t.git, { from, root, name: "cut", signal: stop.signal });
      setTimeout(() => stop.abort(), 200);
      await expect(cut).rejects.toMatchObject({ code: "cancelled" });
      expect(readdirSync(root)).toEqual(["served"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it("refuses a repository without a commit", async () => {
    t.raw(t.root, "init", "--quiet", "--bare", "young.git");
    const from = parseCloneUrl(`file://${t.root}/young.git`);
    await expect(cloneRepository(t.git, { from, root, name: "young" })).rejects.toThrow(/has no commit yet/);
    expect(readdirSync(root)).toEqual([]);
  });
});
