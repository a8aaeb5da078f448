import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ApiInboxItem, ApiInboxPage, ApiJob, ApiLane } from "../../internal/protocol/index.ts";
import { callApi } from "../support/api.ts";
import { eventually } from "../support/installation.ts";
import { expectOnly } from "../support/leftovers.ts";
import { startBareDaemon } from "./bare-daemon.ts";
import { type FaultScene, openLanes } from "./open-lanes.ts";
import { chooseSeed, FULL, say, seededRandom } from "./run-terms.ts";

const ROUNDS = FULL ? 50 : 6;
/** Where laned dies on an answer's way to an agent that has exited; null: at any moment, by a kill from outside. */
const POINTS = [
  "answer.resumed",
  "laned.start-sent",
  "answer.settling",
  null,
  "laned.dispatched",
  ...(FULL ? ["laned.before-dispatch", "laned.before-events", "laned.events-committed", "laned.before-ack"] : []),
] as const;
/** How long after the answer is sent a kill from outside comes, ms at most. */
const KILL_WITHIN_MS = 400;

/** Each writes one line when it acts on its answer. */
const ACT = `echo "$LANEKEEPER_JOB $answer" >> applied.txt`;
const EXITS = `if [ -z "$INBOX_QUESTION" ]; then inbox ask "Now?" --no-wait || exit 0; fi; answer=$INBOX_ANSWER; ${ACT}`;
const WAITS = `answer=$(inbox ask "Now?" --wait 120s) || exit; ${ACT}`;

let scene: FaultScene;
let asker: ApiLane;
let waiter: ApiLane;

beforeAll(async () => {
  scene = await openLanes([["asker"], ["waiter"]]);
  [asker, waiter] = scene.lanes as [ApiLane, ApiLane];
});
afterAll(() => scene?.[Symbol.asyncDispose]());

const api = <T>(path: string) => callApi<T>(scene.home, "GET", path);
const submit = ({ id }: ApiLane, prompt: string) =>
  callApi<ApiJob>(scene.home, "POST", `/v1/lanes/${id}/jobs`, { kind: "prompt", agent: "shell", prompt });
const itemOf = async (job: ApiJob): Promise<ApiInboxItem> =>
  eventually(
    async () => (await api<ApiInboxPage>("/v1/inbox?limit=500")).items.find((item) => item.job === job.id) ?? null,
    { what: `the question of job ${job.id}`, withinMs: 60_000 },
  );
const applied = async ({ worktree }: ApiLane): Promise<readonly string[]> =>
  (await readFile(join(worktree, "applied.txt"), "utf8").catch(() => "")).split("\n").filter(Boolean);

it("of laned, between an answer and its delivery, lose no answer and have none acted on twice", {
  timeout: 60_000 + ROUNDS * 20_000,
}, async () => {
  const seed = chooseSeed();
  const random = seededRandom(seed);
  const rounds = Array.from({ length: ROUNDS }, (_, index) => ({
    index,
    // Every sixth waits in its turn, where nothing is begun anew.
    lane: index % 6 === 5 ? waiter : asker,
    point: index % 6 === 5 ? null : (POINTS[index % POINTS.length] ?? null),
  }));
  let [delivered, resent] = [0, 0];
  for (const { index, lane, point } of rounds) {
    const job = await submit(lane, lane === asker ? EXITS : WAITS);
    const item = await itemOf(job);
    if (lane === asker) await untilState(job, ["awaiting_answer"]);
    resent += await strike({ item, answer: `answer-${index}`, point, killAfterMs: random() * KILL_WITHIN_MS });
    const end = await untilState(job, ["succeeded", "failed", "cancelled", "lost"]);
    expect([index, point, end.state, end.attempt]).toEqual([index, point, "succeeded", lane === asker ? 2 : 1]);
    const seen = await api<ApiInboxItem>(`/v1/inbox/${item.id}`);
    expect(seen).toMatchObject({ state: "answered", answer: `answer-${index}` });
    if (seen.delivered) delivered += 1;
  }
  const lines = [...(await applied(asker)), ...(await applied(waiter))];
  const answers = lines.map((line) => line.split(" ").at(-1)).sort();
  const once = answers.filter((one) => answers.indexOf(one) === answers.lastIndexOf(one));
  say(`answers, seed ${seed}: ${delivered} delivered, ${once.length} applied once, ${resent} sent again`);
  expect(delivered).toBe(ROUNDS);
  expect(answers).toEqual(rounds.map(({ index }) => `answer-${index}`).sort());
  await expectOnly(scene.home, scene.lanes);
});

/**
 * Answers under a laned that is to die on the way, and starts the next one. Gives 1 when the answer had to be sent again,
 * which is only so when it was not acknowledged, else 0.
 */
async function strike(opts: {
  readonly item: ApiInboxItem;
  readonly answer: string;
  readonly point: string | null;
  readonly killAfterMs: number;
}): Promise<number> {
  const { item, answer, point } = opts;
  const send = () => callApi<ApiInboxItem>(scene.home, "POST", `/v1/inbox/${item.id}/answer`, { answer });
  // What the worker sends once more of the job before may already pass the point.
  do await restart(point);
  while (!(await untilReady()));
  const sent = send().then(
    () => true,
    () => false,
  );
  if (point === null) await sleep(opts.killAfterMs);
  else expect([point, await scene.daemon.endsWithin(30_000)]).toEqual([point, true]);
  await restart(null);
  const acknowledged = await sent;
  const { state } = await api<ApiInboxItem>(`/v1/inbox/${item.id}`);
  if (state === "answered") return 0;
  expect([acknowledged, state]).toEqual([false, "open"]);
  await send();
  return 1;
}

/** False when laned has died before. */
const untilReady = () =>
  eventually(
    async () => {
      if (scene.daemon.dead()) return "dead";
      const lanes = await api<ApiLane[]>("/v1/lanes").catch(() => []);
      return lanes.length > 0 && lanes.every(({ state }) => state === "ready") ? "ready" : null;
    },
    { what: "the lanes under the new laned", withinMs: 60_000 },
  ).then((seen) => seen === "ready");

async function restart(fault: string | null): Promise<void> {
  await scene.daemon.kill();
  scene.daemon = startBareDaemon(scene.home, fault);
  await scene.daemon.answers().catch((caught: unknown) => {
    if (fault === null || !scene.daemon.dead()) throw caught;
  });
}

const untilState = (job: ApiJob, states: readonly string[]) =>
  eventually(
    async () => {
      const now = await api<ApiJob>(`/v1/jobs/${job.id}`);
      return states.includes(now.state) ? now : null;
    },
    { what: `job ${job.id} to be ${states.join(" or ")}`, withinMs: 60_000 },
  );
