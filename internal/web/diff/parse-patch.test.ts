import { describe, expect, it } from "vitest";
import { parsePatch, ROWS_MAX, toVisible } from "./parse-patch.ts";

const rowsOf = (patch: string) =>
  parsePatch(patch).map(({ kind, before, after, text }) => `${kind} ${before} ${after} ${text}`);

describe("a file's diff", () => {
  it("has numbers before and after, and nothing of git's header", () => {
    const patch = [
      "diff --git a/x b/x",
      "--- a/x",
      "+++ b/x",
      "@@ -3,3 +3,3 @@ main()",
      " a",
      "-b",
      "+B",
      "",
      "@@ -90 +90,0 @@",
      "-- z",
      "\\ No newline at end of file",
      "",
    ].join("\n");
    expect(rowsOf(patch)).toEqual([
      "hunk null null @@ -3,3 +3,3 @@ main()",
      "context 3 3 a",
      "removed 4 null b",
      "added null 4 B",
      "context 5 5 ",
      "hunk null null @@ -90 +90,0 @@",
      "removed 90 null - z",
      "note null null No newline at end of file",
    ]);
  });

  it("of nothing, of a rename and of noise is empty", () => {
    for (const patch of ["", "similarity index 100%\nrename from a\nrename to b\n", "no patch\n+at all"]) {
      expect(parsePatch(patch)).toEqual([]);
    }
  });

  it("is cut where it is too long, and says so", () => {
    const rows = parsePatch(`@@ -0,0 +1,50000 @@\n${"+x\n".repeat(50_000)}`);
    expect(rows).toHaveLength(ROWS_MAX + 1);
    expect(rows.at(-1)).toMatchObject({ kind: "note", text: expect.stringContaining("more than 20000 lines") });
    expect(toVisible("x".repeat(3000))).toMatch(/^x{2000} … \(1000 more characters\)$/);
  });

  it("spells out what deceives the eye", () => {
    expect(toVisible("if (a\u202e)b\u2066 \u001b[31m\u0000 \u200bx\ufeff\t\r\u{e0041}")).toBe(
      "if (a‹U+202E›)b‹U+2066› ‹U+001B›[31m‹U+0000› ‹U+200B›x‹U+FEFF›\t‹U+000D›‹U+E0041›",
    );
    expect(toVisible("ä <b>&amp; 漢字")).toBe("ä <b>&amp; 漢字");
  });
});
