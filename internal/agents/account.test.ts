import { describe, expect, it } from "vitest";
import { type AccountEvent, type AccountState, holdsWork, nextAccount, OPEN_ACCOUNT, parseAccount } from "./account.ts";

const NOW = 1_000_000_000_000;
const MINUTE = 60_000;
const failed = (failure: "login" | "limit" | "overload" | "network" | "agent", resetsAtMs: number | null = null) =>
  ({ type: "failed", failure, message: "why", resetsAtMs }) satisfies AccountEvent;

describe("a usage limit", () => {
  it("lasts until the reset that the agent told, with a little slack", () => {
    const state = nextAccount(OPEN_ACCOUNT, failed("limit", NOW + 5 * MINUTE), NOW);
    expect(state).toEqual({ kind: "limited", untilMs: NOW + 5 * MINUTE + 2000, message: "why" });
    expect(holdsWork(state, NOW + 5 * MINUTE + 1999)).toBe(true);
    expect(holdsWork(state, NOW + 5 * MINUTE + 2000)).toBe(false);
  });

  it("is tried again after a while when nobody tells its end, or one that is over", () => {
    for (const told of [null, NOW - 1]) {
      expect(nextAccount(OPEN_ACCOUNT, failed("limit", told), NOW)).toMatchObject({ untilMs: NOW + 15 * MINUTE });
    }
  });

  it("is not believed to last for ever", () => {
    const state = nextAccount(OPEN_ACCOUNT, failed("limit", Number.MAX_SAFE_INTEGER), NOW);
    expect(state).toMatchObject({ untilMs: NOW + 7 * 24 * 60 * MINUTE });
  });

  it("stays the same for the second lane that meets it", () => {
    const state = nextAccount(OPEN_ACCOUNT, failed("limit", NOW + MINUTE), NOW);
    expect(nextAccount(state, failed("limit", NOW + MINUTE), NOW + 1)).toBe(state);
  });
});

describe("trouble of the service", () => {
  it("spares the account for longer each time, up to a quarter of an hour", () => {
    let state: AccountState = OPEN_ACCOUNT;
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      state = nextAccount(state, failed(i % 2 === 0 ? "overload" : "network"), NOW);
      if (state.kind === "sparing") waits.push((state.untilMs - NOW) / 1000);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 900, 900]);
  });

  it("is forgotten once something works", () => {
    const state = nextAccount(nextAccount(OPEN_ACCOUNT, failed("overload"), NOW), { type: "worked" }, NOW);
    expect(state).toEqual(OPEN_ACCOUNT);
  });

  it("does not shorten a limit or hide a missing login", () => {
    for (const failure of ["limit", "login"] as const) {
      const state = nextAccount(OPEN_ACCOUNT, failed(failure, NOW + 60 * MINUTE), NOW);
      expect(nextAccount(state, failed("network"), NOW)).toBe(state);
    }
  });
});

describe("a missing login", () => {
  const state = nextAccount(OPEN_ACCOUNT, failed("login"), NOW);

  it("holds work until it is renewed, whatever a job that still ran says", () => {
    expect(holdsWork(state, NOW + 365 * 24 * 60 * MINUTE)).toBe(true);
    expect(nextAccount(state, { type: "worked" }, NOW)).toBe(state);
    expect(nextAccount(state, failed("limit", NOW + MINUTE), NOW)).toBe(state);
    expect(nextAccount(state, { type: "renewed" }, NOW)).toEqual(OPEN_ACCOUNT);
  });
});

it("takes no notice of failures that are the agent's own", () => {
  expect(nextAccount(OPEN_ACCOUNT, failed("agent"), NOW)).toBe(OPEN_ACCOUNT);
  expect(nextAccount(OPEN_ACCOUNT, { type: "worked" }, NOW)).toBe(OPEN_ACCOUNT);
});

describe("a record", () => {
  it("is the state again", () => {
    const limited = nextAccount(OPEN_ACCOUNT, failed("limit"), NOW);
    const sparing = nextAccount(OPEN_ACCOUNT, failed("overload"), NOW);
    const login = nextAccount(OPEN_ACCOUNT, failed("login"), NOW);
    for (const state of [OPEN_ACCOUNT, limited, sparing, login])
      expect(parseAccount(JSON.stringify(state))).toEqual(state);
  });

  it("that is damaged is none", () => {
    for (const text of [
      "",
      "null",
      "[]",
      "{",
      '{"kind":"limited","message":"m"}',
      '{"kind":"open","strikes":-1}',
      '{"kind":"x"}',
    ]) {
      expect(parseAccount(text)).toBeNull();
    }
  });
});
