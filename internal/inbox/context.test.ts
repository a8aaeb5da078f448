import { afterEach, beforeEach, expect, it } from "vitest";
import { type InboxBench, openInboxBench, thrownBy } from "./testing.ts";

let bench: InboxBench;
beforeEach(() => {
  bench = openInboxBench();
});
afterEach(() => bench[Symbol.dispose]());

const raise = () => {
  const said = { kind: "drift", subject: "s", occurrence: "1", laneId: "demo", jobId: null, title: "t" } as const;
  bench.inbox.raise({ ...said, choices: ["recreate"] });
  return bench.inbox.list({ limit: 1 })[0]?.id ?? "";
};

it("acts on an answer only when the commit that it is part of is over", () => {
  const id = raise();
  bench.store.transaction(() => {
    bench.inbox.answer(id, "recreate", "cli");
    expect(bench.answered).toEqual([]);
  });
  expect(bench.answered).toEqual([["drift", "recreate"]]);
});

it("never acts on an answer that is undone", () => {
  const id = raise();
  const full = thrownBy(() =>
    bench.store.transaction(() => {
      bench.inbox.answer(id, "recreate", "cli");
      throw new Error("no room");
    }),
  );
  expect(full).toBeInstanceOf(Error);
  expect([bench.answered, bench.inbox.get(id).state.phase]).toEqual([[], "open"]);
  bench.inbox.answer(id, "recreate", "cli");
  expect(bench.answered).toHaveLength(1);
});
