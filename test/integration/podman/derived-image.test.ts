import { existsSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { derivedImageOf, type Packages } from "../../../internal/lane/index.ts";
import { type BuildFacts, createImageBuilder, type ImageBuilder } from "../../../internal/podman/index.ts";
import { eventually } from "../../support/installation.ts";
import { containersWith, podman } from "../../support/podman.ts";
import { registryAccess, whyNoRegistries } from "../../support/registries.ts";
import { openTestEngine, type TestEngine } from "../../support/test-engine.ts";

const CA = "/etc/ssl/certs/ca-certificates.crt";
const missing = await whyNoRegistries();

interface InspectedImage {
  readonly Id: string;
  readonly User: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly Labels: Readonly<Record<string, string>>;
}

describe.skipIf(missing !== null)(
  `images with packages${missing === null ? "" : `: ${missing}`}`,
  { timeout: 120_000 },
  () => {
    let engine: TestEngine;
    let builder: ImageBuilder;
    let facts: BuildFacts;

    beforeAll(async () => {
      engine = await openTestEngine();
      builder = createImageBuilder(engine.connection.runtime.address);
      const limits = { memoryBytes: null, pids: 2048 };
      const caBundle = existsSync(CA) ? CA : null;
      facts = { install: engine.install, ...engine.profile, ...limits, caBundle, ...(await registryAccess()) };
    }, 60_000);
    afterEach(async () => {
      expect(await containersWith(`io.lanekeeper.install=packages:${engine.install}`)).toEqual([]);
      const label = `label=io.lanekeeper.install=packages:${engine.install}`;
      expect(await podman("network", "ls", "-q", "--filter", label)).toBe("");
    });
    afterAll(async () => {
      await builder?.close();
      await engine?.[Symbol.asyncDispose]();
    });

    const imageOf = (packages: Partial<Packages>) =>
      derivedImageOf(engine.install, engine.imageId, { apt: [], npm: [], ...packages });
    const inspect = async (name: string) => (JSON.parse(await podman("image", "inspect", name)) as InspectedImage[])[0];
    const list = async () => (await builder.list(engine.install, {})).map(({ name }) => name);

    it("has the packages of both kinds, and is its base in everything else", async () => {
      const image = imageOf({ apt: ["tree"], npm: ["semver@7.7.2"] });
      await builder.build(image, facts, {});
      expect(await list()).toEqual([image.name]);
      const [made, base] = [await inspect(image.name), await inspect(engine.imageId)];
      const startOf = (one: InspectedImage | undefined) => {
        const { Env, Cmd, Entrypoint, WorkingDir, Volumes, ExposedPorts } = one?.Config ?? {};
        // Its order is nobody's.
        const env = [...((Env as readonly string[] | undefined) ?? [])].sort();
        return { user: one?.User, env, Cmd, Entrypoint: Entrypoint ?? [], WorkingDir, Volumes, ExposedPorts };
      };
      expect(startOf(made)).toEqual(startOf(base));
      expect(made?.Labels).toMatchObject({
        ...base?.Labels,
        "io.lanekeeper.packages": engine.install,
        "io.lanekeeper.packages.base": engine.imageId,
        "io.lanekeeper.packages.apt": "tree",
        "io.lanekeeper.packages.npm": "semver@7.7.2",
      });
      const seen = await run(
        image.name,
        "tree --version; semver 1.2.3; ls -A /run/lane /tmp /run/lanekeeper* 2>/dev/null; find /var/lib/apt/lists -type f",
      );
      expect(seen).toEqual([expect.stringContaining("tree v"), "1.2.3", "/run/lane:", "-", "/tmp:"]);
    });

    it("says which package there is not, and leaves nothing", async () => {
      const image = imageOf({ apt: ["no-such-package-here"] });
      const refused = builder.build(image, facts, {});
      await expect(refused).rejects.toMatchObject({
        code: "engine.image_failed",
        message: expect.stringMatching(/apt:no-such-package-here .*exit code 100: E: Unable to locate package no-such/),
        details: { output: [expect.any(String)] },
      });
      await expect(builder.build(imageOf({ npm: ["semver@0.0.999"] }), facts, {})).rejects.toThrow(
        /npm error code ETARGET/,
      );
      expect(await list()).not.toContain(image.name);
    });

    it("is given up at once, and leaves nothing", async () => {
      const image = imageOf({ apt: ["cowsay"] });
      const stop = new AbortController();
      const given = builder.build(image, facts, { signal: stop.signal });
      given.catch(() => undefined);
      await eventually(
        async () => (await containersWith(`io.lanekeeper.install=packages:${engine.install}`)).length > 0,
        {
          what: "a container in which it is made",
        },
      );
      expect(await builder.sweep(engine.install, () => [image], {})).toEqual([]);
      stop.abort();
      await expect(given).rejects.toThrow();
      expect(await list()).not.toContain(image.name);
    });

    it("takes down what a dead maker has left, by itself or for the next try", async () => {
      const image = imageOf({ npm: ["semver@7.7.1"] });
      const labels = { "io.lanekeeper.install": `packages:${engine.install}` };
      const { runtime } = engine.connection;
      const leave = async (name: string) => {
        await runtime.ensureNetwork({ name, isolate: true, labels }, {});
        await runtime.createRaw({ name, labels, image: engine.imageId, entrypoint: ["sleep", "60"] }, {});
        return name;
      };
      const dead = await leave(`lanekeeper-packages-${engine.install}-dead`);
      await leave(`lanekeeper-packages-${engine.install}-${image.key.slice(0, 16)}`);
      expect(await builder.sweep(engine.install, () => [image], {})).toEqual([dead]);
      await builder.build(image, facts, {});
      expect(await list()).toContain(image.name);
    });

    /** What a script says in a container of the image. */
    async function run(image: string, script: string): Promise<readonly string[]> {
      const { runtime } = engine.connection;
      const { nofile, nproc } = engine.profile;
      const limit = (type: string, value: number | null) =>
        value === null ? [] : [{ type, soft: value, hard: value }];
      const body = {
        name: `lane-${engine.install}-try`,
        labels: { "io.lanekeeper.install": engine.install },
        image,
        entrypoint: ["sh", "-c"],
        command: [`{ ${script}; } 2>&1 | sed 's/^$/-/'`],
        netns: { nsmode: "none" },
        r_limits: [...limit("nofile", nofile), ...limit("nproc", nproc)],
      };
      const { id } = await runtime.createRaw(body, {});
      await runtime.startContainer(id, {});
      await runtime.waitContainer(id, { deadlineMs: 20_000 });
      const lines = await runtime.containerLogs(id, { lines: 100 });
      await runtime.removeContainer(id, {});
      return lines;
    }
  },
);
