import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSizeBytes } from "../config/index.ts";
import { parseSettings } from "./lane-settings.ts";
import { exitCodeOfSignal } from "./outcome.ts";
import { createProgress } from "./progress.ts";
import { splitArgs } from "./split-args.ts";
import { parseSse, type SseMessage } from "./sse.ts";

describe("splitArgs", () => {
  it.each([
    [
      ["run", "x", "--", "a", "--", "b"],
      ["run", "x"],
      ["a", "--", "b"],
    ],
    [["--json", "exec", "x", "--"], ["--json", "exec", "x"], []],
    [["--color", "always", "run", "--", "a"], ["--color", "always", "run"], ["a"]],
    [["run", "x"], ["run", "x"], null],
    [["ls", "--", "a"], ["ls", "--", "a"], null],
    [["--", "run"], ["--", "run"], null],
  ])("%j", (argv, own, passthrough) => {
    expect(splitArgs(argv)).toEqual({ own, passthrough });
  });
});

describe("parseSettings", () => {
  const parse = (...words: readonly string[]) => parseSettings(words, parseSizeBytes);

  it("reads every key of this version", () => {
    expect(
      parse(
        "image=i",
        "agent=claude",
        "drift=now",
        "limits.memory=512m",
        "limits.cpus=0.5",
        "limits.pids=100",
        "skills=a,b",
        "env.A=x=y",
      ),
    ).toEqual({
      settings: {
        image: "i",
        agent: "claude",
        drift: "now",
        memoryBytes: 512 * 2 ** 20,
        cpus: 0.5,
        pids: 100,
        skills: ["a", "b"],
      },
      env: { A: "x=y" },
    });
  });

  it("takes an empty value for the default", () => {
    expect(
      parse("image=", "agent=", "drift=", "limits.memory=", "limits.cpus=", "limits.pids=", "skills=", "env.A="),
    ).toEqual({
      settings: {
        image: null,
        agent: null,
        drift: "when-idle",
        memoryBytes: null,
        cpus: null,
        pids: null,
        skills: null,
      },
      env: { A: "" },
    });
  });

  it.each([
    "x",
    "=x",
    "limits.cpus=-1",
    "limits.pids=1.5",
    "limits.memory=0",
    "env.=1",
    "role=chief",
    "nonsense=1",
    "skills=../x",
    "skills=a,,b",
  ])("refuses %s", (word) => {
    expect(() => parse(word)).toThrow(expect.objectContaining({ code: "usage.invalid", hint: expect.any(String) }));
  });
});

describe("parseSse", () => {
  const collect = async (chunks: readonly Uint8Array[]) => {
    const messages: SseMessage[] = [];
    for await (const message of parseSse(toAsync(chunks))) messages.push(message);
    return messages;
  };

  it("reads ids, events, comments, line breaks of both kinds and data on several lines", async () => {
    const text = ": hello\n\nid: 7\r\nevent: gap\r\ndata: {\r\ndata:}\r\n\r\ndata\n\nid: 9\n\n";
    expect(await collect([Buffer.from(text)])).toEqual([
      { id: "7", event: "gap", data: "{\n}" },
      { id: null, event: "message", data: "" },
    ]);
  });

  it("drops a message that was cut off", async () => {
    expect(await collect([Buffer.from("data: 1\n\ndata: 2\n")])).toEqual([{ id: null, event: "message", data: "1" }]);
  });

  it("does not care where chunks end, not even inside a character", async () => {
    const cut = fc.array(fc.nat({ max: 400 }), { maxLength: 12 });
    const texts = fc.array(fc.string({ unit: "binary", maxLength: 20 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(texts, cut, async (values, cuts) => {
        const bytes = Buffer.from(values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join(""));
        const ends = [...new Set([...cuts.filter((at) => at < bytes.length), bytes.length])].sort((a, b) => a - b);
        const chunks = ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
        const wanted = values.map((value) => Buffer.from(JSON.stringify(value)).toString());
        expect((await collect(chunks)).map(({ data }) => data)).toEqual(wanted);
      }),
      { numRuns: 100 },
    );
  });
});

describe("exitCodeOfSignal", () => {
  it("is 128 + n", () => {
    expect([exitCodeOfSignal("SIGKILL"), exitCodeOfSignal("TERM"), exitCodeOfSignal("SIGWEIRD")]).toEqual([
      137, 143, 1,
    ]);
  });
});

describe("createProgress", () => {
  const setUp = (isTty: boolean, quiet = false) => {
    const written: string[] = [];
    const ticks: (() => void)[] = [];
    let nowMs = 0;
    const progress = createProgress({
      stderr: { isTty, columns: isTty ? 20 : undefined, write: async (chunk) => void written.push(String(chunk)) },
      quiet,
      clock: {
        nowMs: () => nowMs,
        monotonicMs: () => nowMs,
        sleep: async () => {},
        timer: (_ms, fn) => {
          ticks.push(fn);
          return () => void ticks.splice(ticks.indexOf(fn), 1);
        },
      },
    });
    const passTo = (ms: number) => {
      nowMs = ms;
      for (const tick of ticks.splice(0)) tick();
    };
    return { progress, written, passTo };
  };

  it("rewrites one line on a terminal, with the time it takes, never wider than the terminal", async () => {
    const { progress, written, passTo } = setUp(true);
    progress.update("one");
    progress.update("one");
    passTo(3000);
    progress.update("a text that is much too long");
    await progress.clear();
    passTo(9000);
    expect(written).toEqual(["\r\u001b[Kone", "\r\u001b[Kone (3s)", "\r\u001b[Ka text that is muc…", "\r\u001b[K"]);
  });

  it("writes a line per change elsewhere, and nothing when quiet", async () => {
    const plain = setUp(false);
    for (const text of ["one", "one", "two"]) plain.progress.update(text);
    await plain.progress.clear();
    expect(plain.written).toEqual(["one\n", "two\n"]);
    const quiet = setUp(true, true);
    quiet.progress.update("one");
    await quiet.progress.clear();
    expect(quiet.written).toEqual([]);
  });
});

async function* toAsync<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
