import { expect, it } from "vitest";
import { toLogLine } from "./log-line.ts";

it.each([
  [
    '{"time":"2026-11-21T14:53:16.263Z","level":"info","msg":"link opened","port":31417,"to":"a b","id":"x/1"}',
    '14:53:16 info link opened port=31417 to="a b" id=x/1',
  ],
  ["Segmentation fault", "Segmentation fault"],
  ['{"time":5,"level":"info","msg":"x"}', '{"time":5,"level":"info","msg":"x"}'],
  ["{broken", "{broken"],
])("words a line of a log: %s", (line, worded) => {
  expect(toLogLine(line)).toBe(worded);
});
