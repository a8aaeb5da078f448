import { pino } from "pino";
import { expect, it } from "vitest";
import { createFakeClock } from "../../base/testing.ts";
import { createItemKeeper } from "./item-keeper.ts";

const DAY = 86_400_000;

it.each([
  [90 * DAY, ["mark", "before -90 days", "mark", "before -90 days"]],
  [null, []],
])("looks at once and every hour, for what was closed %s ms ago", async (keepForMs, expected) => {
  const clock = createFakeClock();
  const calls: string[] = [];
  const keeper = createItemKeeper({
    inbox: {
      dropClosed: async (beforeMs) => calls.push(`before ${Math.round((beforeMs - clock.nowMs()) / DAY)} days`),
    },
    keepForMs,
    mark: () => void calls.push("mark"),
    clock,
    log: pino({ level: "silent" }),
  });
  await clock.advance(3_600_000);
  expect(calls).toEqual(expected);
  await keeper[Symbol.asyncDispose]();
  await clock.advance(DAY);
  expect(calls).toEqual(expected);
});
