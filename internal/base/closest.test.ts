import { describe, expect, it } from "vitest";
import { closestTo, didYouMean } from "./closest.ts";

describe("closestTo", () => {
  it.each([
    ["prot", ["port", "host"], ["port"]],
    ["enginee", ["engine", "image"], ["engine"]],
    ["FOO", ["foo", "foo"], ["foo"]],
    ["auth", ["auth-refactor", "payments"], ["auth-refactor"]],
    ["zzzzzz", ["port", "host"], []],
    ["", ["port"], []],
    ["xy", ["ab"], []],
  ])("%s among %j is %j", (word, candidates, expected) => {
    expect(closestTo(word, candidates)).toEqual(expected);
  });

  it("words the hint, or has none", () => {
    expect(didYouMean("prot", ["port"])).toBe('did you mean "port"?');
    expect(didYouMean("zzzzzz", ["port"])).toBeUndefined();
  });
});
