import { expect, it } from "vitest";
import { filledStore, openIn, tempFolder } from "./testing.ts";

const HELD = {
  branches: [{ name: "side", tip: "a".repeat(40) }],
  more: false,
  detached: null,
  stashes: 2,
  submodules: [],
};

it("keeps the last look into a lane over a restart, and as long as the lane is on record", () => {
  using folder = tempFolder();
  {
    using store = filledStore(folder.path);
    store.laneLooks.put("demo", { run: "c1 1", held: { ...HELD, stashes: 0 } });
    store.laneLooks.put("demo", { run: "c1 2", held: HELD });
    store.laneLooks.put("gone", { run: "c1 2", held: HELD });
  }
  using store = openIn(folder.path);
  expect(store.laneLooks.find("demo")).toEqual({ run: "c1 2", held: HELD });
  expect(store.laneLooks.find("gone")).toBeNull();
  store.lanes.deleteLane("demo");
  expect(store.laneLooks.find("demo")).toBeNull();
});
