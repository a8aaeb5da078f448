import { expect, it } from "vitest";
import { openIn, tempFolder } from "./testing.ts";

const HOUR_MS = 3_600_000;
const ANSWER = { hash: "h", status: 201, body: '{"id":"x"}' };

it("keeps answers by scope and key for a day, over a restart", () => {
  using folder = tempFolder();
  let nowMs = 0;
  const open = () => openIn(folder.path, { nowMs: () => nowMs });
  {
    using store = open();
    store.requestKeys.put("addLane", "k", ANSWER);
    expect(store.requestKeys.find("stopLane", "k")).toBeNull();
  }
  using store = open();
  nowMs = 23 * HOUR_MS;
  expect(store.requestKeys.find("addLane", "k")).toEqual(ANSWER);
  store.requestKeys.put("addLane", "other", { ...ANSWER, body: null });
  nowMs = 24 * HOUR_MS;
  expect(store.requestKeys.find("addLane", "k")).toBeNull();
  store.requestKeys.put("addLane", "k", { ...ANSWER, hash: "anew" });
  expect(store.requestKeys.find("addLane", "k")?.hash).toBe("anew");
  expect(store.requestKeys.find("addLane", "other")?.body).toBeNull();
});
