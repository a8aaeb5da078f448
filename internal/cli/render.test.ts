import { describe, expect, it } from "vitest";
import { AppError } from "../base/index.ts";
import { renderAgents } from "./render-agents.ts";
import { renderCredentials } from "./render-credentials.ts";
import { renderDoctor } from "./render-doctor.ts";
import { renderError } from "./render-error.ts";
import { renderJob, renderJobs } from "./render-job.ts";
import { renderDrift, renderHistory, renderLane, renderLanes, renderWorkspaces } from "./render-lane.ts";
import { findUnwell, renderStatus } from "./render-status.ts";
import { createStyle, type RenderOptions, wantsColor } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";
import { sampleAgent, sampleCredential, sampleJob, sampleLane, sampleStatus, sampleWorkspace } from "./testing.ts";
import { plural, renderAge, renderArgv, toPlain, truncate, wrap } from "./text.ts";

const NOW = Date.parse("2026-01-02T03:09:05.000Z");
const NARROW: RenderOptions = { style: createStyle(false), width: 80, nowMs: NOW };
const PIPED: RenderOptions = { ...NARROW, width: undefined };
const LONG = "a-very-long-name-that-does-not-fit-into-any-terminal-of-the-world-x";
const ESCAPE = "\u001b[31mred\u001b[0m\nnext";

const widest = (lines: readonly string[]) => Math.max(...lines.map((line) => [...line].length));

describe("renderTable", () => {
  const columns = [
    { header: "name", value: (row: readonly string[]) => row[0] ?? "", shrink: true },
    { header: "state", value: (row: readonly string[]) => row[1] ?? "" },
    { header: "why", value: (row: readonly string[]) => row[2] ?? "", shrink: true },
  ];

  it("writes headers upper-case, aligns, and leaves no trailing blanks", () => {
    const lines = renderTable(
      columns,
      [
        ["a", "ready", ""],
        ["bcd", "no", "x"],
      ],
      undefined,
    );
    expect(lines).toEqual(["NAME  STATE  WHY", "a     ready  -", "bcd   no     x"]);
  });

  it("cuts the widest columns that may be cut, and marks the cut", () => {
    const lines = renderTable(columns, [[LONG, "ready", LONG]], 80);
    expect(widest(lines)).toBe(80);
    expect(lines[1]).toMatch(/^a-very-long-name.*… {2}ready {2}a-very-long-name.*…$/);
  });

  it("cuts nothing when piped", () => {
    expect(renderTable(columns, [[LONG, "ready", LONG]], undefined)[1]).toBe(`${LONG}  ready  ${LONG}`);
  });

  it("gives up where nothing more can be cut", () => {
    expect(renderTable(columns, [["abcdefghij", "ready", "abcdefghij"]], 10)[1]).toBe("abcdefg…  ready  abcdefg…");
  });

  it("colours cells without moving columns", () => {
    const painted = columns.map((column) => ({ ...column, paint: (cell: string) => `<${cell}>` }));
    expect(renderTable(painted, [["a", "b", "c"]], undefined)[1]).toBe("<a   >  <b    >  <c>");
  });

  it("keeps what others wrote from steering the terminal", () => {
    expect(renderTable(columns, [[ESCAPE, "x", "y"]], undefined)[1]).toMatch(/^\\x1b\[31mred\\x1b\[0m next/);
  });
});

describe("the lists at 80 columns", () => {
  const lane = sampleLane({
    name: LONG,
    branch: LONG,
    job: "j",
    queued: 12,
    drift: [{ part: "a", field: "b", was: null, is: "1" }],
  });
  const job = sampleJob({ laneName: LONG, argv: ["sh", "-c", LONG] });
  const history = [
    {
      seq: 1,
      at: lane.createdAt,
      generation: 3,
      event: "give_up",
      from: "backoff",
      to: "failed",
      cause: { code: "x", message: LONG },
    },
  ];

  it.each([
    ["lane ls", (opts: RenderOptions) => renderLanes([lane], [sampleWorkspace({ name: LONG })], opts)],
    ["lane jobs", (opts: RenderOptions) => renderJobs([job], opts)],
    ["lane history", (opts: RenderOptions) => renderHistory(history, opts)],
    [
      "lane agents ls",
      (opts: RenderOptions) => renderAgents([sampleAgent({ login: { state: LONG, source: LONG } })], opts),
    ],
    [
      "lane credentials status",
      (opts: RenderOptions) => renderCredentials([sampleCredential({ source: `/x/${LONG}` })], opts),
    ],
    [
      "lane workspace ls",
      (opts: RenderOptions) => renderWorkspaces([sampleWorkspace({ name: LONG, path: `/x/${LONG}` })], opts),
    ],
  ])("%s fits, and is whole when piped", (_what, render) => {
    expect(widest(render(NARROW))).toBeLessThanOrEqual(80);
    expect(render(PIPED).join("\n")).toContain(LONG);
    expect(render(NARROW)[0]).toBe(render(NARROW)[0]?.toUpperCase());
  });

  it("lane ls shows the workspace's name, times for people and git in words", () => {
    const git = { ahead: 2, behind: 1, dirty: 3, unimported: 0 };
    const lines = renderLanes([sampleLane({ git })], [sampleWorkspace()], PIPED);
    expect(lines[1]).toBe("fix   shop       fix     ready  5m ago  -     -      +2 -1 3 dirty");
  });
});

describe("lane agents ls", () => {
  const login = { state: "not-needed", source: null };
  it("has a line per version, and one for an agent without any; * is what lanes get", () => {
    const [version] = sampleAgent().versions;
    const old = { ...sampleAgent().versions[0], version: "2.1.9", inUse: false, lanes: [], bytes: 999 };
    const agents = [
      sampleAgent({ versions: [old as NonNullable<typeof version>, version as NonNullable<typeof version>] }),
      sampleAgent({ agent: "codex", inUse: null, versions: [], login: { state: "ready", source: "CODEX_API_KEY" } }),
      sampleAgent({ agent: "gemini", inUse: "0.1.0", versions: [] }),
      sampleAgent({ agent: "shell", package: null, inUse: null, versions: [], login }),
    ];
    expect(renderAgents(agents, NARROW)).toEqual([
      "AGENT   VERSION         LOGIN                  LANES  SIZE    INSTALLED",
      "claude  2.1.9           unknown                0      1 kB    5m ago",
      "claude  2.1.329 *       unknown                1      361 MB  5m ago",
      "codex   not installed   ready (CODEX_API_KEY)  -      -       -",
      "gemini  0.1.0 * (gone)  unknown                -      -       -",
      "shell   built in        not needed             -      -       -",
    ]);
  });
});

describe("lane credentials status", () => {
  it("has a line per agent; then what is wrong, what to do, and what may go wrong", () => {
    const reason = {
      message: `the login of Codex cannot be used: /home/me/.codex/auth.json is ${ESCAPE}`,
      hint: "run it",
    };
    const lines = renderCredentials(
      [
        sampleCredential({ source: "/f", warning: "its refresh token works once, and is in 2 lanes (a, b)" }),
        sampleCredential({ agent: "codex", state: "refused", source: "/g", account: null, expiresAt: null, reason }),
      ],
      NARROW,
    );
    expect(lines).toEqual([
      "AGENT   LOGIN    FROM  TOKEN ENDS  ACCOUNT       LANES",
      "claude  usable   /f    5m ago      a1b2c3d4e5f6  1",
      "codex   refused  /g    -           -             1",
      "",
      "claude: its refresh token works once, and is in 2 lanes (a, b)",
      "codex: the login of Codex cannot be used: /home/me/.codex/auth.json is",
      "  \\x1b[31mred\\x1b[0m next",
      "next: run it",
    ]);
  });

  it("is in lane show, with the reason", () => {
    const codex = { state: "refused", source: "/g", expiresAt: null, reason: "/g is empty" };
    const lines = renderLane(sampleLane({ credentials: { codex } }), NARROW);
    expect(lines).toContain("  codex  refused from /g: /g is empty");
  });
});

describe("one thing in full", () => {
  it("lane show says why, what next and when", () => {
    const lane = sampleLane({
      state: "backoff",
      cause: { code: "worker.probe_timeout", message: "no answer", hint: "see the log" },
      until: "2026-01-02T03:09:35.000Z",
      settings: {
        ...{ memoryBytes: 1024, env: { A: "1" }, image: null, drift: "hold" },
        packages: { apt: ["tree"], npm: ["semver@7"] },
      },
      logTail: [ESCAPE],
      drift: [{ part: "image", field: "id", was: "a", is: "b" }],
    });
    const text = renderLane(lane, NARROW).join("\n");
    expect(text).toContain("state        backoff, since 5m ago");
    expect(text).toContain("reason       no answer (worker.probe_timeout)");
    expect(text).toContain("next         see the log");
    expect(text).toContain("next try     in 30s");
    expect(text).toContain("settings     limits.memory=1024 env.A=1 drift=hold packages=apt:tree,npm:semver@7");
    expect(text).toContain("image id: a -> b");
    expect(text).not.toContain("\u001b");
  });

  it("says what a queued job waits for, in the list and alone", () => {
    const waits = (waiting: "memory" | "count") => sampleJob({ state: "queued", waiting, exitCode: null });
    expect(renderJobs([waits("memory")], PIPED)[1]).toContain("  waiting for memory  ");
    expect(renderJobs([waits("count")], PIPED)[1]).toContain("  waiting for a free slot  ");
    expect(widest(renderJobs([{ ...waits("count"), laneName: LONG, argv: [LONG] }], NARROW))).toBeLessThanOrEqual(80);
    expect(renderJob(waits("memory"), NARROW)).toContain("state    queued, waiting for memory");
    expect(renderJob(waits("count"), NARROW)).toContain("state    queued, waiting for a free slot");
  });

  it("says that a running job gets nowhere, in the list and alone", () => {
    const running = sampleJob({ state: "running", exitCode: null, lastProgressAt: "2026-01-02T02:57:05.000Z" });
    const stuck = { ...running, stuck: true, detail: "no progress for 12m" };
    expect(renderJobs([stuck], PIPED)[1]).toContain("  running, no progress for 12m  ");
    expect(renderJobs([running], PIPED)[1]).toContain("  running  ");
    expect(renderJob(stuck, NARROW)).toEqual(
      expect.arrayContaining(["detail    no progress for 12m", "progress  12m ago"]),
    );
    expect(renderStatus(sampleStatus({ stuckJobs: 2 }), [], null, NARROW)).toContain(
      "        2 jobs without progress: `lane jobs`",
    );
    // As of a daemon that does not know of progress.
    expect(renderJob(sampleJob(), NARROW).join("\n")).not.toMatch(/^progress/m);
    expect(renderStatus(sampleStatus(), [], null, NARROW).join("\n")).not.toContain("progress");
  });

  it("lane job show says where the files of an attempt are, when there are any", () => {
    const files = { stream: "/state/jobs/j/1.ndjson", failure: "/state/jobs/j/1.failure.json" };
    expect(renderJob(sampleJob({ files }), NARROW)).toEqual(
      expect.arrayContaining([`stream   ${files.stream}`, `report   ${files.failure}`]),
    );
    expect(renderJob(sampleJob(), NARROW).join("\n")).not.toMatch(/^(stream|report) /m);
  });

  it("lane job show ends with what the job said last", () => {
    const error = { code: "exit", message: "exit code 2", stderrTail: "one\ntwo\n" };
    const text = renderJob(sampleJob({ state: "failed", exitCode: 2, error }), NARROW).join("\n");
    expect(text).toContain("work     npm test");
    expect(text.endsWith("last of stderr:\n  one\n  two")).toBe(true);
  });

  it("lane drift names each field and what will be done", () => {
    const fields = [{ part: "limits", field: "pids", was: null, is: "100" }];
    expect(renderDrift({ lane: "x", policy: "hold", action: "held", fields }, "fix")).toEqual([
      "lane fix has drifted in 1 field; held: `lane recreate` applies it (policy hold)",
      "  limits pids: (nothing) -> 100",
    ]);
    expect(renderDrift({ lane: "x", policy: "hold", action: "none", fields: [] }, "fix")).toEqual([
      "lane fix has not drifted",
    ]);
  });

  it("lane status names the engine's trouble and each lane that is not ready", () => {
    const error = { code: "engine.unavailable", message: "podman is away", hint: "install podman" };
    const status = sampleStatus({
      engine: { ok: false, version: null, address: null, own: false, error },
      lanes: { ready: 1, unknown: 1, failed: 0 },
    });
    const lanes = [
      sampleLane(),
      sampleLane({ name: "other", state: "unknown", cause: error }),
      sampleLane({ name: "off", state: "stopped", desired: "stopped" }),
    ];
    const lines = renderStatus(status, findUnwell(lanes, null, NARROW), null, NARROW);
    expect(lines).toContain("engine  not available: podman is away");
    expect(lines).toContain("        next: install podman");
    expect(lines).toContain("lanes   1 ready, 1 unknown");
    expect(lines.slice(-3)).toEqual([
      "LANE   STATE    SINCE   REASON",
      "other  unknown  5m ago  podman is away; next: install podman",
      "off    stopped  5m ago  stopped on request",
    ]);
  });

  it("an error gives lists, the next step and, on request, its causes", () => {
    const error = new AppError({
      code: "lane.would_lose_work",
      message: ESCAPE,
      hint: "use --force",
      details: { unimportedCommits: Array.from({ length: 25 }, (_, at) => `c${at}`), count: 3 },
      cause: new Error("deep"),
    });
    const lines = renderError(error, { style: createStyle(false), verbose: true });
    expect(lines[0]).toBe("error: \\x1b[31mred\\x1b[0m next");
    expect(lines).toContain("unimported commits:");
    expect(lines).toContain("  … and 5 more");
    expect(lines.slice(-3)).toEqual(["next:  use --force", "code:  lane.would_lose_work (terminal)", "cause: deep"]);
  });

  it("doctor wraps on a terminal and not in a pipe", () => {
    const check = { id: "a", title: "Title", level: "fail", detail: `${LONG} ${LONG}`, fix: "do it" } as const;
    const answer = { ok: false, checks: [check], repairs: [] };
    expect(widest(renderDoctor(answer, NARROW).join("\n").split("\n"))).toBeLessThanOrEqual(80);
    expect(renderDoctor(answer, PIPED)[0]).toBe(`fail  Title  ${LONG} ${LONG}`);
  });
});

describe("colour", () => {
  it.each([
    ["a terminal", {}, true, "auto", true],
    ["a pipe", {}, false, "auto", false],
    ["NO_COLOR", { NO_COLOR: "1" }, true, "auto", false],
    ["an empty NO_COLOR", { NO_COLOR: "" }, true, "auto", true],
    ["a dumb terminal", { TERM: "dumb" }, true, "auto", false],
    ["FORCE_COLOR in a pipe", { FORCE_COLOR: "1", NO_COLOR: "1" }, false, "auto", true],
    ["--color always", { NO_COLOR: "1" }, false, "always", true],
    ["--no-color", { FORCE_COLOR: "1" }, true, "never", false],
  ] as const)("%s", (_what, env, isTty, choice, wanted) => {
    expect(wantsColor({ choice, env, isTty })).toBe(wanted);
  });

  it("is left out altogether when it is off", () => {
    expect(createStyle(true).red("x")).toBe("\u001b[31mx\u001b[39m");
    expect(createStyle(false).red("x")).toBe("x");
  });
});

describe("words", () => {
  it("tells times from now", () => {
    expect(renderAge("2026-01-02T03:08:53.000Z", NOW)).toBe("12s ago");
    expect(renderAge("2026-01-02T03:09:06.000Z", NOW)).toBe("in 1s");
    expect(renderAge(null, NOW)).toBe("-");
    expect(renderAge("nonsense", NOW)).toBe("-");
  });

  it("quotes a command as a shell would read it", () => {
    expect(renderArgv(["sh", "-c", "it's $HOME", ""])).toBe("sh -c 'it'\\''s $HOME' ''");
  });

  it("cuts, wraps and counts", () => {
    expect(truncate("äöüß", 3)).toBe("äö…");
    expect(truncate("abc", 3)).toBe("abc");
    expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
    expect([plural(1, "lane"), plural(2, "lane")]).toEqual(["1 lane", "2 lanes"]);
    expect(toPlain("a\u202eb\tc")).toBe("a\\x202eb c");
    expect(
      renderFacts([
        ["a", "1"],
        ["longer", null],
        ["bc", "2"],
      ]),
    ).toEqual(["a   1", "bc  2"]);
  });
});
