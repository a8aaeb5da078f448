import { describe, expect, it } from "vitest";
import { mergeJson } from "./index.ts";

const WANTED = { security: { auth: { selectedType: "gemini-api-key" } }, quiet: true };

describe("mergeJson", () => {
  it("keeps all else, also beside what it sets", () => {
    const existing = '{"theme":"dark","security":{"auth":{"selectedType":"x","other":1},"more":[1]}}';
    expect(JSON.parse(mergeJson(existing, WANTED))).toEqual({
      theme: "dark",
      security: { auth: { selectedType: "gemini-api-key", other: 1 }, more: [1] },
      quiet: true,
    });
  });

  it.each([null, "", "{", "[1]", '"text"', '{"security":"text"}'])("makes a whole file of %j", (existing) => {
    expect(JSON.parse(mergeJson(existing, WANTED))).toEqual(WANTED);
  });

  it("takes a field named __proto__ for a field", () => {
    const text = mergeJson('{"__proto__":{"polluted":1}}', WANTED);
    expect(text).toContain("polluted");
    expect({}).not.toHaveProperty("polluted");
  });
});
