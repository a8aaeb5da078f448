import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AGENTS, type FailureKind } from "./index.ts";
import { replay } from "./testing.ts";

/** Runs of the real programs against a stand-in for the services, and how they are to be judged. */
const RUNS: Readonly<Record<string, Readonly<Record<string, FailureKind | "succeeded">>>> = {
  claude: {
    say: "succeeded",
    "run-commit": "succeeded",
    resume: "succeeded",
    "partial-messages": "succeeded",
    flaky529: "succeeded",
    drop: "succeeded",
    "no-credential": "login",
    fail401: "login",
    fail429: "limit",
    "fail429-usage": "limit",
    "oauth-token-fail429": "limit",
    fail529: "overload",
    hang: "network",
    unreachable: "network",
    fail400: "refused",
    "resume-unknown": "refused",
    "root-no-sandbox-flag": "refused",
    "cancel-stream-sigint": "interrupted",
    "cancel-stream-sigterm": "interrupted",
    "cancel-tool-sigint": "interrupted",
    "cancel-tool-sigkill": "interrupted",
    "cancel-tool-sigterm": "interrupted",
  },
  codex: {
    say: "succeeded",
    "run-commit": "succeeded",
    resume: "succeeded",
    flaky529: "succeeded",
    "no-credential": "login",
    fail401: "login",
    fail429: "limit",
    "fail429-usage": "limit",
    fail529: "overload",
    drop: "network",
    hang: "network",
    fail400: "refused",
    "outside-repo": "refused",
    "resume-unknown": "refused",
    // Retries for ever and was killed.
    unreachable: "interrupted",
    // Nothing tells these from a crash; who sent the signal knows, and does not ask.
    "cancel-stream-sigint": "agent",
    "cancel-tool-sigint": "agent",
    "cancel-stream-sigterm": "interrupted",
    "cancel-tool-sigkill": "interrupted",
    "cancel-tool-sigterm": "interrupted",
  },
  gemini: {
    say: "succeeded",
    "run-commit": "succeeded",
    resume: "succeeded",
    flaky529: "succeeded",
    // It never heard the signal.
    "cancel-stream-sigint": "succeeded",
    "no-credential": "login",
    "base-url-without-settings": "login",
    fail401: "login",
    failkey: "login",
    fail429: "limit",
    "fail429-usage": "limit",
    fail529: "overload",
    drop: "network",
    unreachable: "network",
    "resume-unknown": "refused",
    untrusted: "refused",
    "cancel-stream-sigint-norelaunch": "interrupted",
    "cancel-stream-sigterm-norelaunch": "interrupted",
    "cancel-tool-sigint": "interrupted",
    "cancel-tool-sigint-norelaunch": "interrupted",
    "cancel-tool-sigkill": "interrupted",
    "cancel-tool-sigterm-norelaunch": "interrupted",
  },
};

const ENDED_AT = Date.parse("2026-11-21T00:36:00Z");
const TESTDATA = join(import.meta.dirname, "testdata");

for (const agent of AGENTS.filter(({ name }) => name in RUNS)) {
  describe(`recorded runs of ${agent.title}`, () => {
    const runs = RUNS[agent.name] ?? {};

    it("are all in the table", () => {
      const names = readdirSync(join(TESTDATA, agent.name)).filter((file) => file.endsWith(".exit"));
      expect(names.map((file) => file.slice(0, -".exit".length)).toSorted()).toEqual(Object.keys(runs).toSorted());
    });

    it.each(Object.entries(runs))("%s: events, sums and verdict (%s)", async (name, judged) => {
      const lines = replay(agent, name, ENDED_AT);
      expect(lines.at(-1)?.match(/^\w+/)?.[0]).toBe(judged);
      await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(join(TESTDATA, agent.name, `${name}.events`));
    });
  });
}

describe("the end of a limit", () => {
  const verdict = (agent: string, name: string) =>
    replay(AGENTS.find((one) => one.name === agent) as (typeof AGENTS)[number], name, ENDED_AT).at(-1);

  it("is Claude's own time", () => {
    expect(verdict("claude", "oauth-token-fail429")).toContain("limit until 2026-11-21T01:50:59.000Z:");
    expect(verdict("claude", "fail429")).toMatch(/^limit: /);
  });

  it("is Codex' clock time, as a hint", () => {
    expect(verdict("codex", "fail429-usage")).toContain("limit until 2026-11-21T01:35:00.000Z:");
    expect(verdict("codex", "fail429")).toMatch(/^limit: /);
  });

  it("is counted from the end of a run of Gemini", () => {
    expect(verdict("gemini", "fail429")).toContain("limit until 2026-11-21T00:36:03.000Z:");
    expect(verdict("gemini", "fail429-usage")).toMatch(/^limit: /);
  });
});
