import { describe, expect, it } from "vitest";
import { KEYS, keyLabel, type Meaning, meaningOf, type Press, SEQUENCE_MS } from "./keys.ts";

const NONE: Meaning = { kind: "none" };
const press = (key: string, more: Partial<Press> = {}): Press => ({
  ...{ key, mod: false, shift: false, alt: false, typing: false, atMs: 0 },
  ...more,
});

/** A key of the table, as the browser tells of it. */
function pressed(key: string, more: Partial<Press> = {}): Press {
  const held = key.split("+").slice(0, -1);
  const [mod, shift, alt] = ["mod", "shift", "alt"].map((one) => held.includes(one)) as [boolean, boolean, boolean];
  return press(key.split("+").at(-1) ?? "", { mod, shift, alt, ...more });
}

describe("the table of keys", () => {
  it("gives each key one meaning, and each action one row", () => {
    const keys = KEYS.flatMap((row) => row.keys);
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(KEYS.map((row) => row.action)).size).toBe(KEYS.length);
    const prefixes = keys.filter((key) => key.includes(" ")).map((key) => key.split(" ", 1)[0]);
    expect(keys.filter((key) => prefixes.includes(key))).toEqual([]);
  });

  it("holds every key that was agreed on", () => {
    const agreed = [
      ...["j", "k", "ArrowDown", "ArrowUp", "Enter", "o", "Escape", "1", "9", "r", "mod+Enter", "mod+shift+Enter"],
      ...["a", "x", "e", "u", "h", "m", "s", "n", "c", "/", "f", "g i", "g l", "g t", "g s", "v c", "v l", "v g"],
      ...["[", "]", "mod+k", "?", "alt+ArrowUp"],
    ];
    const keys = KEYS.flatMap((row) => row.keys);
    expect(agreed.filter((key) => !keys.includes(key))).toEqual([]);
  });

  it.each(KEYS.flatMap((row) => row.keys.map((key) => [key, row.action] as const)))("%s does %s", (key, action) => {
    let meaning: Meaning = NONE;
    for (const one of key.split(" ")) {
      meaning = meaningOf(pressed(one), meaning);
    }
    expect(meaning).toEqual({ kind: "action", action, key });
  });

  it.each(KEYS.flatMap((row) => row.keys).filter((key) => !key.includes("+") && key !== "Escape"))(
    "%s means nothing while a person types",
    (key) => {
      let meaning: Meaning = NONE;
      for (const one of key.split(" ")) meaning = meaningOf(press(one, { typing: true }), meaning);
      expect(meaning).toEqual(NONE);
    },
  );

  it("takes keys with ctrl, cmd or alt also while a person types", () => {
    const held = KEYS.filter((row) => row.keys.some((key) => key.includes("+")));
    expect(held.map((row) => row.action)).toEqual(["send", "queue", "pull", "commands"]);
    for (const { action, keys } of held) {
      for (const key of keys) expect(meaningOf(pressed(key, { typing: true }), NONE)).toMatchObject({ action });
    }
  });

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
    expect(meaningOf(press("ArrowLeft", { alt: true }), NONE)).toEqual(NONE);
    expect(meaningOf(press("K", { mod: true, shift: true }), NONE)).toEqual(NONE);
    expect(meaningOf(press("k", { mod: true, alt: true }), NONE)).toEqual(NONE);
  });

  it("names keys for people", () => {
    const keys = ["mod+shift+Enter", "mod+k", "alt+ArrowUp", "ArrowDown", "Escape", "g i"];
    expect(keys.map(keyLabel)).toEqual(["Ctrl ⇧ ↵", "Ctrl K", "Alt ↑", "↓", "Esc", "g i"]);
  });
});
