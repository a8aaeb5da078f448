import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import type { Credentials } from "./ports.ts";
import { createScene, type FakeLink, LANE, type Scene } from "./testing.ts";

const FIRST = "1".repeat(64);
const SECOND = "2".repeat(64);
const FAILED = new AppError({ code: "credentials.failed", message: "a folder is in its place", retry: "retryable" });
const REFUSED = new AppError({ code: "credentials.refused", message: "a link is in the folder" });

/** Credentials that tell what they were asked, and a lane to ask for them. */
function secretive() {
  const said: string[] = [];
  let holds: string | null = FIRST;
  let error: AppError | null = null;
  let refusal: AppError | null = null;
  const credentials: Credentials<FakeLink> = {
    deliver: async (link) => {
      const lane = scene.state.phase;
      said.push(`${link.generation} ${lane} ${error?.code ?? holds?.slice(0, 1) ?? "none"}`);
      if (error) throw error;
      return holds;
    },
    refusal: () => refusal,
  };
  const scene: Scene = createScene({ credentials });
  return {
    scene,
    said,
    put: (digest: string | null) => {
      holds = digest;
      refusal = null;
      error = null;
    },
    fail: (how: AppError | null) => {
      error = how;
    },
    refuse: (how: AppError) => {
      refusal = how;
    },
    shown: () => scene.supervisor.view(LANE.id).credentials,
    acts: () =>
      scene
        .history()
        .filter((entry) => entry.event.startsWith("credentials:"))
        .map((entry) => `${entry.event} ${entry.cause?.message}`),
  };
}

describe("credentials of a lane that is started", () => {
  it("are delivered once, before it is ready", async () => {
    const { scene, said, shown } = secretive();
    await scene.up();
    expect(said).toEqual(["1 probing 1"]);
    expect(scene.events()).toBe("create created started credentials:delivered proven");
    expect(shown()).toBe(FIRST);
    expect(scene.history().find(({ event }) => event === "credentials:delivered")?.cause?.message).toBe("1".repeat(12));
  });

  it("fail its start when it cannot take them: no container is left, and it is tried again", async () => {
    const { scene, said, fail } = secretive();
    fail(FAILED);
    scene.begin();
    await scene.reach("backoff");
    expect(scene.state).toMatchObject({ cause: { code: "credentials.failed", message: FAILED.message } });
    expect(scene.runtime.containers()).toEqual([]);
    expect(scene.desk.said).not.toContain("resume");
    fail(null);
    await scene.reach("ready", 1001);
    expect(said).toEqual(["1 probing credentials.failed", "2 probing 1"]);
  });

  it("fail it for good when they cannot be used on the host, until they can", async () => {
    const { scene, fail, put } = secretive();
    fail(REFUSED);
    scene.begin();
    await scene.reach("failed");
    expect(scene.runtime.containers()).toEqual([]);
    await scene.clock.advance(600_000);
    expect(scene.state.phase).toBe("failed");
    put(FIRST);
    scene.supervisor.credentialsChanged();
    await scene.reach("ready", 100);
  });

  it("are nothing to speak of when there are none", async () => {
    const { scene, put, acts, shown } = secretive();
    put(null);
    await scene.up();
    expect([acts(), shown()]).toEqual([[], null]);
  });

  it("are asked for again when the worker was out of reach, and only then it is ready", async () => {
    const { scene, said, fail, put } = secretive();
    fail(new AppError({ code: "worker.unreachable", message: "the link broke", retry: "retryable" }));
    scene.begin();
    await scene.clock.until(() => said.length === 2, 10_000);
    put(FIRST);
    await scene.reach("ready", 5000);
    expect(said).toEqual(["1 probing worker.unreachable", "1 probing worker.unreachable", "1 probing 1"]);
    expect(scene.lane.generation).toBe(1);
  });
});

describe("credentials of a lane that runs", () => {
  it("are delivered when they change, without touching its container", async () => {
    const { scene, said, put, shown, acts } = secretive();
    await scene.up();
    const mark = scene.runtime.calls.length;
    put(SECOND);
    scene.supervisor.credentialsChanged();
    await scene.clock.advance(10);
    expect(said).toEqual(["1 probing 1", "1 ready 2"]);
    expect(shown()).toBe(SECOND);
    put(null);
    scene.supervisor.credentialsChanged();
    await scene.clock.advance(60_000);
    expect(shown()).toBeNull();
    expect(acts().map((act) => act.split(" ")[1])).toEqual(["1".repeat(12), "2".repeat(12), "none"]);
    expect(scene.mutations(mark)).toEqual([]);
  });

  it("are tried again, ever more rarely, until it takes them; it stays ready", async () => {
    const { scene, said, put, fail, shown, acts } = secretive();
    await scene.up();
    put(SECOND);
    fail(FAILED);
    scene.supervisor.credentialsChanged();
    await scene.clock.advance(600_000);
    const tries = said.length - 1;
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(20);
    expect([scene.state.phase, shown()]).toEqual(["ready", FIRST]);
    expect(acts()).toHaveLength(2);
    expect(acts()[1]).toBe(`credentials:failed ${FAILED.message}`);
    fail(null);
    await scene.clock.advance(70_000);
    expect([said.at(-1), shown()]).toEqual(["1 ready 2", SECOND]);
    const mark = said.length;
    await scene.clock.advance(600_000);
    expect(said).toHaveLength(mark);
  });

  it("stay as they are while the host's cannot be used; it is said why", async () => {
    const { scene, said, refuse, acts, shown } = secretive();
    await scene.up();
    refuse(REFUSED);
    scene.supervisor.credentialsChanged();
    await scene.clock.advance(60_000);
    expect(said).toHaveLength(1);
    expect([acts()[1], shown(), scene.state.phase]).toEqual([`credentials:refused ${REFUSED.message}`, FIRST, "ready"]);
  });

  it("are delivered anew over a new link, also to an adopted one", async () => {
    const { scene, said, put } = secretive();
    await scene.up();
    scene.supervisor.dropLink(LANE.id, "test");
    await scene.clock.until(() => said.length === 2 && scene.state.phase === "ready", 5000);
    expect(said).toEqual(["1 probing 1", "1 unready 1"]);
    scene.life.kill();
    put(SECOND);
    scene.begin();
    await scene.reach("ready", 5000);
    expect(said.at(-1)).toBe("1 probing 2");
    expect(scene.lane.generation).toBe(1);
  });

  it.each([FAILED, REFUSED])("cost an adopted one nothing when it cannot have them ($code)", async (error) => {
    const { scene, fail } = secretive();
    await scene.up();
    const { id } = scene.container;
    scene.desk.jobs.add(LANE.id);
    scene.life.kill();
    fail(error);
    scene.begin();
    await scene.reach("ready", 5000);
    await scene.clock.advance(120_000);
    expect(scene.container.id).toBe(id);
    expect(scene.state).toMatchObject({ phase: "ready", generation: 1 });
  });
});
