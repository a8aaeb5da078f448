import { describe, expect, it } from "vitest";
import { createRedactor } from "./redactor.ts";

describe("createRedactor", () => {
  it("takes out every occurrence of every secret", () => {
    const redact = createRedactor(["alpha-0123456789", "beta-0123456789"]);
    expect(redact("a alpha-0123456789 b beta-0123456789 alpha-0123456789")).toBe(
      "a [redacted] b [redacted] [redacted]",
    );
    expect(redact("alpha-0123456789beta-0123456789")).toBe("[redacted][redacted]");
  });

  it("gives the same text when no secret occurs", () => {
    const text = "nothing to see: alpha-012345678";
    expect(createRedactor(["alpha-0123456789"])(text)).toBe(text);
    expect(createRedactor([])(text)).toBe(text);
  });

  it("leaves no rest of a secret that holds or overlaps another, in whatever order they are given", () => {
    for (const secrets of [
      ["secret-one", "my-secret-one-and-more", "and-more-of-it"],
      ["and-more-of-it", "my-secret-one-and-more", "secret-one"],
    ]) {
      const redact = createRedactor(secrets);
      expect(redact("<my-secret-one-and-more>")).toBe("<[redacted]>");
      expect(redact("<my-secret-one-and-more-of-it>")).toBe("<[redacted]>");
    }
  });

  it("knows them as JSON spells them", () => {
    const secret = 'pass"word\\with\tall';
    const line = JSON.stringify({ said: `<${secret}>` });
    expect(createRedactor([secret])(line)).toBe('{"said":"<[redacted]>"}');
    expect(createRedactor([secret])(`<${secret}>`)).toBe("<[redacted]>");
  });

  it("is not led astray by its own mark, patterns or short values", () => {
    expect(createRedactor(["redacted", "alpha-0123456789"])("alpha-0123456789")).toBe("[redacted]");
    expect(createRedactor(["a.c*(x)[y]$&"])("a.c*(x)[y]$& abc")).toBe("[redacted] abc");
    expect(createRedactor(["", "short"])("short")).toBe("short");
  });
});
