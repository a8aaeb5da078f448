import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../base/index.ts";
import type { InboxItem } from "../../job/index.ts";
import {
  DEFAULT_WORKSPACE_SETTINGS,
  hasPackages,
  type Lane,
  NO_REPOSITORY_CONFIG,
  type RepositoryConfig,
  type Workspace,
  wideningOf,
} from "../../lane/index.ts";
import { buildSpec, type LaneFacts } from "../../reconcile/index.ts";
import { TEST_ENGINE, TEST_INSTALL } from "../../reconcile/testing.ts";
import type { ApprovalWord, LaneConfigRecords, Store } from "../../store/index.ts";
import { filledStore, lane as laneNamed, tempFolder } from "../../store/testing.ts";
import { createApprovals } from "./approvals.ts";
import { isOwnBase, type Reading } from "./repository-config.ts";
import { createLaneConfigDesk } from "./workspace-settings.ts";

const SETTINGS = { image: "std:1", limits: { memoryBytes: 2 ** 30, cpus: 2, pids: 4096 }, skills: "all" } as const;
const WORKSPACE: Workspace = { id: "ws", name: "repo", path: "/src/repo", createdAtMs: 1 };
const NOW = { signal: undefined };

const folder = tempFolder();
afterAll(() => folder[Symbol.dispose]());

let count = 0;
let store: Store;
beforeEach(() => {
  store = filledStore(`${folder.path}/${count++}`);
});

/** Records that are not on a disk: for a hundred desks at once. */
function recordsInMemory(): LaneConfigRecords {
  const words = new Map<string, ApprovalWord>();
  return {
    settingsOf: () => DEFAULT_WORKSPACE_SETTINGS,
    saveSettings: () => undefined,
    findApproval: (workspace, sha256) => words.get(`${workspace} ${sha256}`) ?? null,
    putApproval: (workspace, sha256, word) => void words.set(`${workspace} ${sha256}`, word),
    findGoodFile: () => null,
    saveGoodFile: () => undefined,
    findSetup: () => null,
    saveSetup: () => undefined,
  };
}

function newDesk(reading: () => Reading, records: LaneConfigRecords = store.laneConfig) {
  const raised: string[] = [];
  const resolved: string[] = [];
  const items = new Map<string, InboxItem>();
  const woken: string[] = [];
  const lanes = store.lanes.listLanes();
  const approvals = createApprovals({
    records,
    desk: { raise: ({ occurrence }) => raised.push(occurrence), resolve: (subject) => resolved.push(subject) },
    findItem: (subject) => items.get(subject) ?? null,
    nowMs: () => 5,
  });
  const desk = createLaneConfigDesk({
    reader: { read: async () => reading() },
    records,
    approvals,
    settings: SETTINGS,
    findWorkspace: () => WORKSPACE,
    lanes: () => lanes,
    wake: (id) => woken.push(id),
  });
  const [lane] = lanes;
  if (!lane) throw new Error("the store has no lane");
  return { desk, approvals, raised, resolved, woken, items, lane };
}

const good = (config: Partial<RepositoryConfig>): Reading => ({
  ...{ kind: "good", commit: "c".repeat(40), text: JSON.stringify(config) },
  config: { ...NO_REPOSITORY_CONFIG, ...config },
});
const broken = (message: string): Reading => ({
  kind: "broken",
  error: new AppError({ code: "config.invalid", message }),
});

/** The container that the lane would get; an image's name stands for its id. */
function specOf(lane: Lane) {
  const facts: LaneFacts = {
    imageId: lane.settings.image ?? SETTINGS.image,
    ...{ owner: { uid: 1000, gid: 1000 }, agents: [], objects: null },
  };
  return buildSpec(lane, { ...TEST_INSTALL, defaults: SETTINGS.limits }, TEST_ENGINE, facts);
}

const configs: fc.Arbitrary<Partial<RepositoryConfig>> = fc.record({
  image: fc.constantFrom(null, "std:1", "evil:1", "evil:2"),
  memoryBytes: fc.constantFrom(null, 2 ** 29, 2 ** 30, 2 ** 40),
  cpus: fc.constantFrom(null, 1, 2, 64),
  pids: fc.constantFrom(null, 64, 4096, 100_000),
  ports: fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { maxLength: 3 }),
  // Names of ours, as TZ, are refused where the file is read.
  env: fc.dictionary(fc.stringMatching(/^V_[A-Z]{1,4}$/), fc.string({ maxLength: 4 }), { maxKeys: 3 }),
  packages: fc.constantFrom(null, { apt: [], npm: [] }, { apt: ["tree"], npm: [] }, { apt: [], npm: ["semver"] }),
  setup: fc.constantFrom(null, ["npm ci"]),
});

describe("what a repository's own file may do", () => {
  it("has no effect beyond what was configured before it is approved, and all of it after", async () => {
    await fc.assert(
      fc.asyncProperty(configs, async (config) => {
        const { desk, lane } = newDesk(() => good(config), recordsInMemory());
        const plain = specOf(lane);
        const before = await desk.refresh(lane, NOW);
        const spec = specOf(before.lane);
        expect({ ...spec, limits: null }).toEqual({ ...plain, limits: null });
        expect(hasPackages(before.lane.settings.packages)).toBe(false);
        for (const key of ["memoryBytes", "cpus", "pids"] as const) {
          expect(spec.limits[key]).toBeLessThanOrEqual(plain.limits[key] ?? 0);
        }
        const { asked } = before.repository;
        if (asked === null) return;
        await desk.decide(WORKSPACE, { base: null, sha256: asked.sha256, word: "approved" }, NOW);
        const approved = (await desk.refresh(lane, NOW)).lane;
        expect(approved.settings.packages).toEqual(config.packages);
        const after = specOf(approved);
        expect(after.image.id).toBe(config.image ?? SETTINGS.image);
        expect(after.network.ports.map((port) => port.containerPort)).toEqual(
          expect.arrayContaining([...(config.ports ?? [])]),
        );
        expect(after.env).toMatchObject(config.env ?? {});
        expect(after.limits.memoryBytes).toBe(config.memoryBytes ?? SETTINGS.limits.memoryBytes);
      }),
      { numRuns: 300 },
    );
  });

  it("is asked for again when one byte of it changes, and keeps no effect of what was approved", async () => {
    const packages = { apt: ["git-lfs"], npm: ["semver"] };
    const config = { image: "evil:1", packages, ports: [3000], env: { A: "b" } };
    const changes: readonly Partial<RepositoryConfig>[] = [
      { ...config, image: "evil:2" },
      { ...config, packages: { ...packages, apt: ["git-lfs=3.3.0-1"] } },
      { ...config, packages: { ...packages, npm: ["semver", "tool"] } },
      { ...config, packages: { apt: ["git-lfs", "semver"], npm: [] } },
      { ...config, ports: [3001] },
      { ...config, ports: [3000, 3001] },
      { ...config, env: { A: "c" } },
      { ...config, env: { B: "b" } },
      { ...config, memoryBytes: 2 ** 31 },
    ];
    let now = good(config);
    const { desk, lane, raised } = newDesk(() => now);
    const asked = (await desk.refresh(lane, NOW)).repository.asked;
    await desk.decide(WORKSPACE, { base: null, sha256: asked?.sha256 ?? "", word: "approved" }, NOW);
    expect(specOf((await desk.refresh(lane, NOW)).lane).image.id).toBe("evil:1");
    for (const change of changes) {
      now = good(change);
      const seen = await desk.refresh(lane, NOW);
      expect(seen.repository.asked?.word).toBe("pending");
      expect(specOf(seen.lane)).toEqual(specOf(lane));
    }
    now = good(config);
    expect((await desk.refresh(lane, NOW)).repository.asked?.word).toBe("approved");
    expect(raised).toHaveLength(1 + changes.length);
  });

  it("names all packages in the words that are approved, and asks for none that a person has set", async () => {
    const packages = { apt: ["git-lfs", "tree"], npm: ["@s/tool@1"] };
    const { desk, lane } = newDesk(() => good({ packages }));
    expect((await desk.refresh(lane, NOW)).repository.asked?.fields).toEqual([
      { field: "packages.apt", was: null, is: "git-lfs, tree" },
      { field: "packages.npm", was: null, is: "@s/tool@1" },
    ]);
    desk.patch("ws", { packages: { apt: ["tree"], npm: ["@s/tool@1"] } });
    expect((await desk.refresh(lane, NOW)).repository.asked?.fields).toEqual([
      { field: "packages.apt", was: "tree", is: "git-lfs, tree" },
    ]);
    desk.patch("ws", { packages: { apt: ["git-lfs", "tree", "jq"], npm: ["@s/tool@1"] } });
    const { repository, origins, lane: made } = await desk.refresh(lane, NOW);
    expect([repository.asked, origins.packages]).toEqual([null, "workspace"]);
    expect(made.settings.packages?.apt).toEqual(["git-lfs", "tree", "jq"]);
  });

  it("is approved for one workspace only, and only as it was shown", async () => {
    const { desk, lane, approvals } = newDesk(() => good({ image: "evil:1" }));
    const { asked } = (await desk.refresh(lane, NOW)).repository;
    const other = { base: null, sha256: "0".repeat(64), word: "approved" } as const;
    await expect(desk.decide(WORKSPACE, other, NOW)).rejects.toThrow(/something else by now/);
    await desk.decide(WORKSPACE, { ...other, sha256: asked?.sha256 ?? "" }, NOW);
    const fields = wideningOf(
      { ...NO_REPOSITORY_CONFIG, image: "evil:1" },
      { ...SETTINGS.limits, ...SETTINGS, packages: null },
    );
    expect(approvals.wordOn("ws", fields)?.word).toBe("approved");
    expect(approvals.wordOn("another", fields)?.word).toBe("pending");
  });

  it("is answered in the inbox, also when the daemon died before the answer took effect", async () => {
    const { desk, lane, approvals, raised, woken, items } = newDesk(() => good({ image: "evil:1" }));
    const sha = (await desk.refresh(lane, NOW)).repository.asked?.sha256 ?? "";
    expect(raised).toEqual([sha]);
    const item = { subject: `config:ws:${sha}`, state: { phase: "answered", answer: "deny: no" } } as InboxItem;
    expect(approvals.onAnswered(item, "deny")).toBe("ws");
    expect(approvals.onAnswered({ ...item, subject: "drift:x" }, "deny")).toBeNull();
    desk.changed("ws");
    expect(woken).toEqual(store.lanes.listLanes().map(({ id }) => id));
    expect((await desk.refresh(lane, NOW)).repository.asked?.word).toBe("denied");

    store = filledStore(`${folder.path}/${count++}`);
    const second = newDesk(() => good({ image: "evil:1" }));
    second.items.set(`config:ws:${sha}`, { ...item, state: { ...item.state, answer: "approve" } } as InboxItem);
    expect((await second.desk.refresh(lane, NOW)).lane.settings.image).toBe("evil:1");
    expect(items.size).toBe(0);
  });

  it("stays as it was last good when it is broken, over a restart, and says why", async () => {
    let now: Reading = good({ setup: ["npm ci"], memoryBytes: 2 ** 29 });
    const { desk, lane } = newDesk(() => now);
    await desk.refresh(lane, NOW);
    store.laneConfig.saveGoodFile(lane.id, { commit: "g".repeat(40), text: "setup: [npm ci]\n" });
    now = broken(".lanekeeper.yaml:3: unknown key");
    for (const one of [desk, newDesk(() => now).desk]) {
      const seen = await one.refresh(lane, NOW);
      expect(seen.setup).toEqual(["npm ci"]);
      expect(seen.repository.error?.message).toContain(":3: unknown key");
      expect(await one.refresh(lane, NOW)).toBe(seen);
    }
    await expect(desk.check(WORKSPACE, null, NOW)).rejects.toThrow(/unknown key/);
  });

  it("is not read from what the lane itself can move", async () => {
    const names = [
      "fix",
      "heads/fix",
      "refs/heads/fix",
      "fix~1",
      "fix^{commit}",
      "refs/lanes/other/head",
      "lanes/x/head",
    ];
    for (const base of names) expect([base, isOwnBase({ branch: "fix" }, base)]).toEqual([base, true]);
    for (const base of [null, "main", "origin/fix", "fix2"]) expect(isOwnBase({ branch: "fix" }, base)).toBe(false);
    const { desk, lane } = newDesk(() => good({ setup: ["touch /workspace/x"] }));
    const own = { ...lane, settings: { ...lane.settings, base: lane.branch } };
    const seen = await desk.refresh(own, NOW);
    expect([seen.setup, seen.repository.error?.message]).toEqual([[], expect.stringContaining("its own to move")]);
  });

  it("comes after lane and workspace, and before the installation", async () => {
    const { desk, lane } = newDesk(() => good({ agent: "codex", pids: 64, cpus: 1, skills: ["a"], setup: ["one"] }));
    desk.patch("ws", { agent: "claude", cpus: 1.5, env: { A: "w", B: "w" }, setup: ["two"] });
    const own = { ...lane, settings: { ...lane.settings, cpus: 0.5, env: { A: "l" } } };
    const { origins, setup, lane: made } = await desk.refresh(own, NOW);
    expect(made.settings).toMatchObject({
      agent: "claude",
      pids: 64,
      cpus: 0.5,
      env: { A: "l", B: "w" },
      skills: ["a"],
    });
    expect(setup).toEqual(["two"]);
    expect(origins).toMatchObject({
      ...{ agent: "workspace", "limits.pids": "repository", "limits.cpus": "lane", image: "installation" },
      ...{ "env.A": "lane", "env.B": "workspace", skills: "repository", setup: "workspace" },
    });
    expect(await desk.refresh(own, NOW)).toBe(desk.current(own));
    desk.patch("ws", { agent: null });
    expect(desk.current(own).lane.settings.agent).toBe("codex");
    expect(laneNamed("x").settings.ports).toBeNull();
  });
});
