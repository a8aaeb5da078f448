import { describe, expect, it } from "vitest";
import { KEYS, keyLabel, type Meaning, meaningOf, type Press, SEQUENCE_MS } from "./keys.ts";

const NONE: Meaning = { kind: "none" };
const press = (key: string, more: Partial<Press> = {}): Press => ({
  ...{ key, mod: false, alt: false, typing: false, atMs: 0 },
  ...more,
});

describe("the table of keys", () => {
  it("gives each key one meaning, and each action one row", () => {
    const keys = KEYS.flatMap((row) => row.keys);
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(KEYS.map((row) => row.action)).size).toBe(KEYS.length);
    const prefixes = keys.filter((key) => key.includes(" ")).map((key) => key.split(" ", 1)[0]);
    expect(keys.filter((key) => prefixes.includes(key))).toEqual([]);
  });

  it.each(KEYS.flatMap((row) => row.keys.map((key) => [key, row.action] as const)))("%s does %s", (key, action) => {
    let meaning: Meaning = NONE;
    for (const one of key.split(" ")) {
      const mod = one.startsWith("mod+");
      meaning = meaningOf(press(mod ? one.slice(4) : one, { mod }), meaning);
    }
    expect(meaning).toEqual({ kind: "action", action, key });
  });

  it.each(KEYS.flatMap((row) => row.keys).filter((key) => !key.startsWith("mod+") && key !== "Escape"))(
    "%s means nothing while a person types",
    (key) => {
      let meaning: Meaning = NONE;
      for (const one of key.split(" ")) meaning = meaningOf(press(one, { typing: true }), meaning);
      expect(meaning).toEqual(NONE);
    },
  );

  it("joins two keys only when the second comes soon", () => {
    const prefix = meaningOf(press("g"), NONE);
    expect(prefix.kind).toBe("prefix");
    expect(meaningOf(press("l", { atMs: SEQUENCE_MS }), prefix)).toMatchObject({ action: "go.lanes" });
    expect(meaningOf(press("l", { atMs: SEQUENCE_MS + 1 }), prefix)).toEqual(NONE);
    // The second key of none of the pairs keeps its own meaning.
    expect(meaningOf(press("j", { atMs: 1 }), prefix)).toMatchObject({ action: "next" });
  });

  it("leaves the browser's own keys alone", () => {
    expect(meaningOf(press("r", { mod: true }), NONE)).toEqual(NONE);
    expect(meaningOf(press("1", { alt: true }), NONE)).toEqual(NONE);
    expect(meaningOf(press("ArrowUp", { alt: true }), NONE)).toEqual(NONE);
  });

  it("names keys for people", () => {
    expect(["mod+Enter", "ArrowDown", "Escape", "g i"].map(keyLabel)).toEqual(["Ctrl Enter", "↓", "Esc", "g i"]);
  });
});
