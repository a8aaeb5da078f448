import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ApiHistoryEntry, ApiInboxItem, ApiLane, ApiLaneConfig } from "../../internal/protocol/index.ts";
import { eventually, type Installation, newInstallation } from "../support/installation.ts";
import { containersWith, inspectContainer, podman } from "../support/podman.ts";
import { whyNoRegistries } from "../support/registries.ts";

const missing = await whyNoRegistries();
const title = `packages on top of a lane's image${missing === null ? "" : ` (left out: ${missing})`}`;

describe.skipIf(missing !== null)(title, { timeout: 150_000 }, () => {
  let home: Installation;
  let repo: string;

  beforeAll(async () => {
    home = await newInstallation({ config: "timeouts: { relist: 1s }" });
    repo = await home.repository("shop");
    await home.up();
    await home.json(["workspace", "add", repo]);
  }, 120_000);
  afterAll(() => home[Symbol.asyncDispose]());
  afterEach(async () => {
    await home.json(["workspace", "set", "shop", "packages="]);
    for (const { name } of await home.json<ApiLane[]>(["ls"])) await home.lane(["rm", name, "--yes", "--force"]);
    await home.lane(["prune", "--yes"]);
    expect(await images()).toEqual([]);
    expect(await containersWith(`io.lanekeeper.install=packages:${await home.installId()}`)).toEqual([]);
  });

  const commit = async (text: string) => {
    await writeFile(join(repo, ".lanekeeper.yaml"), text);
    const git = (...args: string[]) =>
      execa("git", ["-C", repo, "-c", "user.name=t", "-c", "user.email=t@t", ...args], {
        env: { HOME: home.env.HOME },
      });
    await git("add", "-A");
    await git("commit", "-q", "--allow-empty", "-m", "packages");
  };
  const images = async () => {
    const label = `label=io.lanekeeper.packages=${await home.installId()}`;
    return (await podman("images", "-q", "--no-trunc", "--filter", label)).split("\n").filter(Boolean);
  };
  const until = (name: string, what: string, test: (lane: ApiLane) => boolean) =>
    eventually(
      async () => {
        const lane = await home.json<ApiLane>(["show", name]);
        return test(lane) ? lane : null;
      },
      { what, withinMs: 90_000 },
    );
  const readyAs = (name: string, generation: number) =>
    until(name, `generation ${generation}`, (lane) => lane.generation === generation && lane.state === "ready");
  const imageOf = async ({ containerName }: ApiLane) => (await inspectContainer(containerName)).Image;

  it("of a repository come once a person has approved them; another list is drift; without one it is the base", async () => {
    await commit("packages: {apt: [tree]}\n");
    const plain = await home.json<ApiLane>(["add", "own"]);
    const base = await imageOf(plain);
    expect(plain).toMatchObject({ state: "ready", repository: { asked: { word: "pending" } } });
    expect((await home.lane(["run", "own", "--", "tree", "--version"])).code).not.toBe(0);
    const [item] = await home.json<ApiInboxItem[]>(["inbox", "--kind", "approval"]);
    expect([item?.title, item?.body]).toEqual([
      "shop: .lanekeeper.yaml asks for packages.apt",
      expect.stringContaining("`packages.apt`: nothing → `tree`"),
    ]);
    expect((await home.lane(["answer", item?.id ?? "none", "approve"])).code).toBe(0);
    const packed = await readyAs("own", 2);
    expect((await home.lane(["run", "own", "--", "tree", "--version"])).stdout).toContain("tree v");
    const events = (await home.json<ApiHistoryEntry[]>(["history", "own"])).map(({ event }) => event);
    expect(events.filter((event) => event === "image:make")).toHaveLength(1);

    // The same content is one image.
    const second = await home.json<ApiLane>(["add", "two"]);
    expect([await imageOf(second), await images()]).toEqual([
      await imageOf(packed),
      [`sha256:${await imageOf(packed)}`],
    ]);

    // What the person says for the workspace replaces the repository's list.
    await home.json(["workspace", "set", "shop", "packages=npm:semver@7.7.2"]);
    await readyAs("own", 3);
    expect((await home.lane(["run", "own", "--", "semver", "1.2.3"])).stdout).toBe("1.2.3\n");
    expect((await home.lane(["run", "own", "--", "tree", "--version"])).code).not.toBe(0);
    const { values } = await home.json<ApiLaneConfig>(["config", "show", "--lane", "own", "--origin"]);
    const value = { apt: [], npm: ["semver@7.7.2"] };
    expect(values.find(({ key }) => key === "packages")).toEqual({ key: "packages", value, origin: "workspace" });

    await home.json(["workspace", "set", "shop", "packages=none"]);
    expect(await imageOf(await readyAs("own", 4))).toBe(base);
  });

  it("that do not exist leave the lane failed with what npm said, and it comes up when they are taken back", async () => {
    await commit("");
    await home.json(["workspace", "set", "shop", "packages=npm:semver@0.0.999"]);
    const added = await home.lane(["add", "bad"]);
    expect([added.code, added.stderr]).toEqual([125, expect.stringContaining("npm error code ETARGET")]);
    const lane = await home.json<ApiLane>(["show", "bad"]);
    expect(lane).toMatchObject({ state: "failed", generation: 0, cause: { code: "engine.image_failed" } });
    expect([await images(), lane.cause?.hint]).toEqual([[], expect.stringContaining("lane start bad")]);
    await home.json(["workspace", "set", "shop", "packages="]);
    await readyAs("bad", 1);
  });
});
