import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApiInboxItem } from "../protocol/index.ts";
import { renderChange } from "./render-inbox.ts";
import {
  eventually,
  problem,
  runLane,
  type ScriptedDaemon,
  sampleItem,
  sampleLane,
  sampleStatus,
  startScriptedDaemon,
} from "./testing.ts";

const ESC = "\u001b]0;pwned\u0007\u009b31mred";
const Q = sampleItem({ choices: ["keep both", "drop v1"], default: "keep both", body: `look:\n${ESC}\n  1) pay me` });
const APPROVAL = sampleItem({
  id: "01kabcdefg0000000000000002",
  kind: "approval",
  title: `${ESC} a title that is far too long for a line of eighty columns`,
  urgency: "high",
});

let daemon: ScriptedDaemon;
let items: ApiInboxItem[];
const change = (id: string, to: Partial<ApiInboxItem>) => {
  const at = items.findIndex((item) => item.id === id);
  const next = { ...(items[at] as ApiInboxItem), ...to };
  items[at] = next;
  return { body: next };
};

beforeEach(async () => {
  items = [APPROVAL, Q];
  daemon = await startScriptedDaemon({
    "GET /v1/inbox": ({ path }) => {
      const state = new URLSearchParams(path.split("?")[1]).get("state");
      const shown = items.filter((item) => state === "all" || item.state === state);
      return { body: { items: shown, next: null, open: shown.length } };
    },
    "GET /v1/status": () => ({ body: sampleStatus({ feedSeq: 7 }) }),
    "GET /v1/lanes/fix": () => ({ body: sampleLane() }),
  });
  for (const { id } of items) {
    const find = () => ({ body: items.find((item) => item.id === id) });
    daemon.route(`GET /v1/inbox/${id}`, find);
    daemon.route(`POST /v1/inbox/${id}/answer`, ({ body }) => {
      const { state } = find().body as ApiInboxItem;
      const { answer } = body as { answer: string };
      return state === "open" ? change(id, { state: "answered", answer, by: "cli" }) : problem("inbox.answered", 409);
    });
    daemon.route(`POST /v1/inbox/${id}/snooze`, () => change(id, { state: "snoozed", snoozedUntil: Q.createdAt }));
    daemon.route(`POST /v1/inbox/${id}/done`, () => change(id, { state: "done", by: "cli" }));
    daemon.route(`POST /v1/inbox/${id}/reopen`, () => change(id, { state: "open", by: null }));
    daemon.route(`POST /v1/inbox/${id}/read`, ({ body }) => change(id, body as Pick<ApiInboxItem, "read">));
  }
});
afterEach(() => daemon[Symbol.asyncDispose]());

const lane = (words: readonly string[], more: Partial<Parameters<typeof runLane>[1]> = {}) =>
  runLane(words, { socket: daemon.socket, env: { NO_COLOR: "1" }, ...more });
const asked = () => daemon.requests.at(-1);
/** The recorded terminal keeps bytes. */
const decode = (bytes: string) => Buffer.from(bytes, "latin1").toString();

describe("lane inbox", () => {
  it("fits 80 columns, tells items apart by the beginnings of their ids, and says what is urgent", async () => {
    const { code, stdout } = await lane(["inbox"], { columns: 80 });
    const [head, first, second] = stdout.trimEnd().split("\n");
    expect(code).toBe(0);
    expect(head).toMatch(/^ITEM +KIND +LANE +AGE +WHAT$/);
    // These two differ in their last digit only: what is printed names one of them all the same.
    expect(first).toMatch(/^01kabcdefg0000000000000002 {2}approval {2}fix {3}\S+ {2}urgent: /);
    expect(second).toMatch(/^01kabcdefg0000000000000001 {2}question /);
    expect(stdout.split("\n").every((line) => decode(line).length <= 80)).toBe(true);
    items = [Q];
    expect((await lane(["inbox"], { columns: 80 })).stdout).toContain("\n01kabcdefg  question  fix ");
  });

  it("lets no control character of an agent through, in no view", async () => {
    for (const words of [["inbox"], ["inbox", Q.id], ["inbox", "show", APPROVAL.id], ["answer", Q.id]]) {
      const { stdout, stderr } = await lane(words, { types: "", columns: 80 });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those that must not be there
      expect(decode(stdout + stderr)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    }
    // Nor can its words pass for a choice of ours.
    expect((await lane(["inbox", Q.id])).stdout).toMatch(/\n> {3}1\) pay me\n\n {2}1\) keep both\n/);
  });

  it.each([
    [["inbox"], "state=open&limit=50"],
    [["inbox", "--all", "-n", "3"], "state=all&limit=3"],
    [["inbox", "--snoozed"], "state=snoozed&limit=50"],
    [["inbox", "--done", "--kind", "lost"], "state=done&kind=lost&limit=50"],
    [["inbox", "--lane", "fix"], `state=open&lane=${sampleLane().id}&limit=50`],
  ])("%j asks for %s", async (words, query) => {
    expect((await lane(words)).code).toBe(0);
    expect(asked()?.path).toBe(`/v1/inbox?${query}`);
  });

  it("goes on to the next page, and says that there is more", async () => {
    daemon.route("GET /v1/inbox", ({ path }) => ({
      body: { items: [path.includes("before") ? Q : APPROVAL], next: "n", open: 9 },
    }));
    const { stdout, stderr } = await lane(["inbox", "-n", "2"]);
    expect(stdout.split("\n")).toHaveLength(4);
    expect(stderr).toContain("there is more");
    expect(asked()?.path).toContain("before=n&limit=1");
  });

  it("is an array in JSON, an object for one item, and empty when nothing waits", async () => {
    const { stdout } = await lane(["inbox", "--json"]);
    expect(JSON.parse(stdout)).toEqual(items);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those that must not be there
    expect(decode(stdout)).not.toMatch(/[\x1b\x7f-\x9f]/);
    expect(JSON.parse((await lane(["inbox", Q.id, "--json"])).stdout)).toEqual(Q);
    // Only a person reads.
    expect(items.find(({ id }) => id === Q.id)?.read).toBe(false);
    await lane(["inbox", Q.id]);
    expect(items.find(({ id }) => id === Q.id)?.read).toBe(true);
    items = [];
    expect(await lane(["inbox"])).toEqual({ code: 0, stdout: "", stderr: "nothing waits for you\n" });
  });

  it.each([
    ["inbox", "a", "b"],
    ["inbox", "show"],
    ["inbox", "--all", "--done"],
    ["inbox", "--kind", "qestion"],
  ])("refuses %s %s %s", async (...words) => {
    expect((await lane(words.filter(Boolean))).code).toBe(2);
  });

  it("--watch prints what comes and what becomes of it", async () => {
    daemon.route("GET /v1/events", (_request, answer) => {
      answer.writeHead(200, { "content-type": "text/event-stream" });
      const entry = { seq: 8, at: Q.createdAt, type: "inbox.changed", lane: null, job: null, data: {} };
      const send = (seq: number) => answer.write(`data: ${JSON.stringify({ ...entry, seq })}\n\n`);
      change(Q.id, { state: "answered", answer: "keep both", by: "page" });
      items = [sampleItem({ id: "01kabcdefg0000000000000003", kind: "lost", title: "it is lost" }), ...items];
      send(8);
      return "handled";
    });
    const running = lane(["inbox", "-w"]);
    await eventually("the change", () => running.stdoutNow().includes("it is lost"));
    running.signal("SIGINT");
    const { code, stdout } = await running;
    expect(code).toBe(130);
    expect(stdout).toContain(`\n${Q.id}  question  fix  answered by page: keep both  Which schema?\n`);
    expect(stdout.split("\n").filter((line) => line.startsWith(APPROVAL.id))).toHaveLength(1);
    const answered = change(Q.id, { answer: `${ESC}${"long ".repeat(30)}` }).body;
    const line = renderChange(answered, { width: 80 });
    expect(line).toMatch(/^01kabcdefg {2}question {2}fix {2}answered by page: \\x1b.*…$/);
    expect(line).toHaveLength(80);
  });
});

describe("lane answer", () => {
  const answerOf = (words: readonly string[], more = {}) =>
    lane(["answer", ...words], more).then(({ code }) => [code, (asked()?.body as { answer?: string })?.answer]);

  it.each([
    [[Q.id, "2"], {}, [0, "drop v1"]],
    [[Q.id, "2", "--text"], {}, [0, "2"]],
    [[Q.id, "drop v1"], {}, [0, "drop v1"]],
    [[Q.id, "neither", "of", "them"], {}, [0, "neither of them"]],
    [[Q.id, "-"], { stdin: "line one\nline two\n" }, [0, "line one\nline two"]],
    [[Q.id, "--yes"], {}, [0, "keep both"]],
    [[APPROVAL.id, "--yes"], {}, [0, "yes"]],
    [[APPROVAL.id, "7"], {}, [0, "7"]],
    [[Q.id], { types: "1" }, [0, "keep both"]],
    [[Q.id], { types: " other " }, [0, "other"]],
  ])("%j with %j", async (words, more, outcome) => {
    expect(await answerOf(words, more)).toEqual(outcome);
  });

  it.each([
    [[Q.id, "3"], {}, 2],
    [[Q.id], {}, 2],
    [[Q.id, "--no-input"], { types: "1" }, 2],
    [[Q.id, "--json"], { types: "1" }, 2],
    [[Q.id, "-"], { stdin: " \n" }, 2],
    [[Q.id], { types: "" }, 1],
    [["01zz", "yes"], {}, 3],
  ])("%j with %j answers nothing, exit %d", async (words, more, code) => {
    expect((await lane(["answer", ...words], more)).code).toBe(code);
    expect(daemon.requests.some(({ method }) => method === "POST")).toBe(false);
  });

  it("exits 5 for the second answer, and says whose the first was", async () => {
    change(Q.id, { state: "answered", answer: "drop v1", by: "page" });
    const { code, stderr } = await lane(["answer", Q.id, "1"]);
    expect(code).toBe(5);
    expect(stderr).toContain(`item ${Q.id} is answered by page: drop v1`);
  });
});

describe("lane snooze and lane done", () => {
  it("snoozes for an hour unless told for how long", async () => {
    await lane(["snooze", Q.id]);
    expect(asked()?.body).toEqual({ forMs: 3_600_000 });
    expect((await lane(["snooze", Q.id, "2d"])).code).toBe(0);
    expect(asked()?.body).toEqual({ forMs: 172_800_000 });
    expect((await lane(["snooze", Q.id, "soon"])).code).toBe(2);
  });

  it("puts several away and takes them back", async () => {
    expect((await lane(["done", Q.id, APPROVAL.id])).stdout).toBe(
      `item ${Q.id} is done by cli\nitem ${APPROVAL.id} is done by cli\n`,
    );
    expect((await lane(["done", Q.id, "--undo"])).stdout).toBe(`item ${Q.id} is open\n`);
    expect(JSON.parse((await lane(["done", Q.id, "--json"])).stdout)).toMatchObject({ state: "done" });
  });
});
