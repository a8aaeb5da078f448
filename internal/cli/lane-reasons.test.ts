import { describe, expect, it } from "vitest";
import type { ApiLane } from "../protocol/index.ts";
import { reasonsOf } from "./lane-reasons.ts";
import { findUnwell, renderStatus } from "./render-status.ts";
import { createStyle } from "./style.ts";
import { sampleItem, sampleLane, sampleStatus } from "./testing.ts";

const nowMs = Date.parse("2026-01-02T03:09:05.000Z");
const field = (name: string) => ({ part: "limits", field: name, was: "1", is: null });
const login = (state: string) => ({ claude: { state, source: null, expiresAt: null, reason: "it is empty" } });
const GIT = { ahead: 0, behind: 0, dirty: 0, unimported: 0 };
const cause = { code: "engine.image_missing", message: "no image x", hint: "make image" };
const HELD = { drift: "hold" };

describe("why a lane is not simply fine", () => {
  it.each<readonly [string, Partial<ApiLane>, readonly string[]]>([
    ["ready", {}, []],
    ["ready with a login on its way", { credentials: login("pending") }, []],
    ["at work, commits waiting", { job: "j", git: { ...GIT, held: "a job is running" } }, []],
    ["failed", { state: "failed", cause }, ["no image x -> make image"]],
    ["failed for no known reason", { state: "failed", cause: { code: "x", message: "y" } }, ["y -> lane start fix"]],
    ["stopped", { state: "stopped", desired: "stopped" }, ["stopped on request"]],
    ["starting", { state: "starting" }, ["on its way"]],
    [
      "in backoff",
      { state: "backoff", cause: { code: "x", message: "it died" }, until: "2026-01-02T03:09:17.000Z" },
      ["it died (next try in 12s)"],
    ],
    [
      "drifted, at work",
      { drift: [field("pids")], job: "j" },
      ["drifted in limits pids; recreated when its job has ended"],
    ],
    ["drifted, idle", { drift: [field("pids")] }, ["drifted in limits pids; about to be recreated"]],
    [
      "drifted and held",
      { drift: ["a", "b", "c", "d", "e", "f"].map(field), settings: HELD },
      ["drifted in limits a, limits b, limits c, limits d, limits e and 1 more; held -> lane recreate fix"],
    ],
    [
      "without a login",
      { credentials: login("missing") },
      ["login of claude missing: it is empty -> lane credentials status"],
    ],
    [
      "apart from the host",
      { git: { ...GIT, diverged: { lane: "a", host: "b" } } },
      ["lane and host have gone apart -> lane show fix"],
    ],
    [
      "behind, with nothing running",
      { git: { ...GIT, held: "something is staged" } },
      ["commits wait: something is staged"],
    ],
  ])("%s", (_what, change, reasons) => {
    const found = reasonsOf(sampleLane(change), [], { nowMs });
    expect(found.map(({ text, next }) => (next === null ? text : `${text} -> ${next}`))).toEqual(reasons);
  });

  it("counts what waits for a person, of this lane only", () => {
    const items = [
      sampleItem(),
      sampleItem({ kind: "approval" }),
      sampleItem({ kind: "failed" }),
      sampleItem({ lane: "other" }),
    ];
    expect(reasonsOf(sampleLane(), items, { nowMs })).toEqual([
      { about: "inbox", text: "2 open questions, 1 other open item", next: "lane inbox --lane fix" },
    ]);
  });

  it("gives each reason a line of its own, whole, within 80 columns", () => {
    const lane = sampleLane({ state: "failed", cause, drift: [field("pids")], credentials: login("refused") });
    const inbox = { items: [sampleItem({ title: "\u001b[31m" })], next: null, open: 12 };
    const opts = { style: createStyle(false), width: 80, nowMs };
    const lines = renderStatus(sampleStatus(), findUnwell([sampleLane({ id: "x" }), lane], inbox, opts), inbox, opts);
    expect(lines).toContain("inbox   12 open: `lane inbox`");
    expect(lines.slice(lines.indexOf(""))).toEqual([
      "",
      "LANE  STATE   SINCE   REASON",
      "fix   failed  5m ago  no image x; next: make image",
      "                      drifted in limits pids; about to be recreated",
      "                      login of claude refused: it is empty; next: lane",
      "                      credentials status",
      "                      1 open question; next: lane inbox --lane fix",
    ]);
    expect(lines.every((line) => line.length <= 80)).toBe(true);
  });
});
