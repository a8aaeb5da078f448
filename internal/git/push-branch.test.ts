import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { chooseRemote, pushBranch } from "./push-branch.ts";
import { makeTestRepo, type TestRepo } from "./testing.ts";

// Many processes each, on a machine that has others to run.
vi.setConfig({ testTimeout: 30_000 });

let t: TestRepo;
let remote: string;
beforeEach(() => {
  t = makeTestRepo();
  remote = join(t.root, "remote.git");
  t.raw(t.root, "init", "--quiet", "--bare", remote);
  t.raw(t.path, "remote", "add", "origin", remote);
  t.raw(t.path, "branch", "work");
});
afterEach(() => t.dispose());

const push = (branch = "work") => pushBranch(t.git, { gitDir: t.gitDir, branch });
const commitOn = (branch: string, message: string, parent = branch) => {
  const commit = t.raw(t.path, "commit-tree", `${parent}^{tree}`, "-p", parent, "-m", message);
  t.raw(t.path, "update-ref", `refs/heads/${branch}`, commit);
  return commit;
};
const there = (branch = "work") => t.raw(remote, "for-each-ref", "--format=%(objectname)", `refs/heads/${branch}`);

describe("a push", () => {
  it("brings the branch to its remote under its own name, and asks no more when all is there", async () => {
    const tip = commitOn("work", "one");
    expect(await push()).toEqual({ kind: "pushed", remote: "origin", tip });
    expect(there()).toBe(tip);
    expect(await push()).toEqual({ kind: "nothing", remote: "origin", tip });
    expect(t.raw(remote, "for-each-ref", "--format=%(refname)")).toBe("refs/heads/work");
  });

  it("never overwrites: says why, and leaves the remote as it was", async () => {
    const tip = commitOn("work", "one");
    await push();
    commitOn("work", "another one", "main");
    expect(await push()).toMatchObject({ kind: "refused", remote: "origin", why: "rejected (non-fast-forward)" });
    expect(there()).toBe(tip);
  });

  it("takes names that look like options or patterns for names", async () => {
    t.raw(t.path, "remote", "rename", "origin", "o-r");
    t.raw(t.path, "config", "remote.pushDefault", "o-r");
    t.raw(t.path, "update-ref", "refs/heads/-f", commitOn("work", "odd"));
    expect(await push("-f")).toMatchObject({ kind: "pushed", remote: "o-r" });
    expect(await push("--mirror")).toMatchObject({ kind: "refused", tip: null });
  });

  it("refuses without a remote, and without telling what an address has beside its host", async () => {
    const tip = commitOn("work", "one");
    t.raw(t.path, "remote", "set-url", "origin", "https://user:hunter2@127.0.0.1:1/x.git");
    const refused = await push();
    expect(refused).toMatchObject({ kind: "refused", remote: "origin", tip });
    expect(JSON.stringify(refused)).not.toContain("hunter2");
    t.raw(t.path, "remote", "remove", "origin");
    expect(await push()).toMatchObject({
      kind: "refused",
      remote: null,
      why: expect.stringContaining("remote.pushDefault"),
    });
  });

  it("runs neither hooks nor programs of the repository's configuration; of helpers only the developer's", async () => {
    const canary = join(t.root, "canary");
    const trap = (name: string) => {
      const path = join(t.root, name);
      writeFileSync(path, `#!/bin/sh\necho ${name} >> ${canary}\nexit 0\n`);
      chmodSync(path, 0o755);
      return path;
    };
    t.write(join(t.gitDir, "hooks", "pre-push"), readFileSync(trap("pre-push"), "utf8"));
    chmodSync(join(t.gitDir, "hooks", "pre-push"), 0o755);
    for (const [name, value] of [
      ["credential.helper", trap("repository-helper")],
      ["core.sshCommand", trap("ssh-command")],
      ["core.askPass", trap("ask-pass")],
      ["remote.origin.receivepack", trap("receive-pack")],
      ["gpg.program", trap("gpg")],
      ["push.gpgSign", "true"],
    ] as const) {
      t.raw(t.path, "config", name, value);
    }
    commitOn("work", "one");
    expect(await push()).toMatchObject({ kind: "pushed" });
    for (const address of ["ext::sh -c 'echo ext >> canary'", `ssh://nobody@127.0.0.1:1/x`, "git://127.0.0.1:1/x"]) {
      t.raw(t.path, "config", "remote.origin.url", address);
      commitOn("work", address);
      expect(await push()).toMatchObject({ kind: "refused" });
    }
    expect(existsSync(canary)).toBe(false);
    // A remote that asks who is there: one of the machine's own helpers is heard.
    t.raw(t.path, "config", "--global", "credential.helper", trap("own-helper"));
    const server = await import("node:http").then(({ createServer }) =>
      createServer((_, answer) => answer.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end()),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address() as { readonly port: number };
    t.raw(t.path, "config", "remote.origin.url", `http://127.0.0.1:${address.port}/x.git`);
    expect(await push()).toMatchObject({ kind: "refused" });
    server.close();
    expect([...new Set(readFileSync(canary, "utf8").trim().split("\n"))]).toEqual(["own-helper"]);
  });
});

describe("the remote that is chosen", () => {
  const choose = (settings: Readonly<Record<string, string>>) => chooseRemote(new Map(Object.entries(settings)), "b");
  const two = { "remote.up.url": "u", "remote.my.url": "m" };
  it.each([
    [{}, null],
    [{ "remote.only.url": "x" }, "only"],
    [two, null],
    [{ ...two, "remote.origin.url": "o" }, "origin"],
    [{ ...two, "branch.b.remote": "up" }, "up"],
    [{ ...two, "branch.b.remote": "up", "remote.pushdefault": "my" }, "my"],
    [{ ...two, "branch.b.pushremote": "up", "remote.pushdefault": "my" }, "up"],
    [{ ...two, "branch.b.remote": "." }, null],
    [{ "remote.only.url": "x", "branch.b.remote": "/tmp/elsewhere" }, "only"],
  ])("%j: %s", (settings, remote) => expect(choose(settings)).toBe(remote));
});
