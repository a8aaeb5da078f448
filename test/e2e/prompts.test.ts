import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiJob, ApiJobEvent } from "../../internal/protocol/api.ts";
import { type Installation, newInstallation } from "../support/installation.ts";
import { newWard, type Ward } from "../support/ward.ts";

/** The machine may have no identity. */
const AS = "-c user.name=t -c user.email=t@example.com";

describe("prompts to the shell agent", { timeout: 120_000 }, () => {
  let home: Installation;
  let ward: Ward;

  beforeAll(async () => {
    home = await newInstallation({ config: "agent: shell\n" });
    await home.up();
    await home.json(["workspace", "add", await home.repository()]);
    ward = await newWard(home, "talk");
  }, 120_000);
  afterAll(() => home?.[Symbol.asyncDispose]());

  const run = (...args: string[]) => home.lane(["run", ward.name, ...args]);
  const latest = async () => (await home.json<ApiJob[]>(["jobs", ward.name, "-n", "1"]))[0] as ApiJob;

  it("run as the lane's own agent; what it says is the output and the job's text", async () => {
    const end = await run("echo hello; echo wonder > said.txt; echo oops >&2");
    expect(end).toMatchObject({ code: 0, stdout: "hello\n" });
    expect(end.stderr).toContain("oops");
    expect(await latest()).toMatchObject({ kind: "prompt", agent: "shell", state: "succeeded", text: "hello\n" });
    expect(await readFile(join(ward.born.worktree, "said.txt"), "utf8")).toBe("wonder\n");
  });

  it("may be long and come from standard input, and is in nobody's process list", async () => {
    const marker = "marker-in-the-prompt";
    const long = `# ${"x".repeat(400_000)}\ncat /proc/*/cmdline | tr '\\0' ' ' | grep -c ${marker.replace("-", "[-]")}\n: ${marker}\n`;
    const end = await home.lane(["run", ward.name, "-"], { input: long });
    expect(end.stdout.trim()).toBe("0");
  });

  it("keep the raw stream beside its meaning", async () => {
    await run("echo one; echo two");
    const job = await latest();
    const events = (await home.lane(["job", "events", job.id])).stdout.trim().split("\n");
    const parsed = events.map((line) => JSON.parse(line) as ApiJobEvent);
    const raw = parsed.filter((event) => event.raw === true).map((event) => event.text);
    const said = parsed.filter((event) => event.type === "text").map((event) => event.text);
    expect([raw.join(""), said.join("")]).toEqual(["one\ntwo\n", "one\ntwo\n"]);
  });

  it("tell what they have left: commits, which are on the host by then, and what is in none", async () => {
    const end = await run(`echo 1 > kept.txt; git add kept.txt; git ${AS} commit -qm 'keep it'; echo 2 > loose.txt`);
    expect(end.stderr).toMatch(/not committed: .*loose\.txt/);
    const { git } = await latest();
    expect(git?.uncommitted).toContain("loose.txt");
    const log = await execa("git", ["-C", ward.born.worktree, "log", "-1", "--format=%H %s"]);
    expect(log.stdout).toBe(`${git?.commits[0]} keep it`);
    expect(git?.commits.length).toBe(1);
    await run("true");
    expect((await latest()).git?.commits).toEqual([]);
  });

  it("fail with the agent's own words, and by its verdict", async () => {
    const end = await run("echo nothing works >&2; exit 3");
    expect(end.code).toBe(3);
    expect((await latest()).error).toMatchObject({
      code: "agent.agent",
      message: expect.stringContaining("exited with 3"),
    });
  });

  it("are refused when their agent is unknown or not installed, with the next step", async () => {
    const unknown = await run("--agent", "cluade", "hi");
    expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining("claude")]);
    const absent = await run("--agent", "claude", "hi");
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringContaining("lane agents install claude@")]);
    const session = await run("--session", "a b", "hi");
    expect([session.code, session.stderr]).toEqual([2, expect.stringContaining("is not a session")]);
  });
});
