import { describe, expect, it } from "vitest";
import { createRedactor } from "../base/index.ts";
import { toCredentialSet } from "./credential-set.ts";
import { secretsOf } from "./secrets-of.ts";

const of = (...contents: readonly (string | Buffer)[]) =>
  secretsOf(toCredentialSet(contents.map((content, i) => ({ path: `f${i}`, content: Buffer.from(content) }))));

describe("secretsOf", () => {
  it("finds the string values of JSON at any depth, under any key, from 8 characters on", () => {
    const json = { a: "12345678", b: [{ token: "abcdefghij" }, "short"], n: 123456789, none: null, yes: true };
    expect([...of(JSON.stringify(json))].sort()).toEqual(["12345678", "abcdefghij"]);
    expect(of(JSON.stringify("just-a-string"))).toEqual(["just-a-string"]);
  });

  it("finds the lines of other files from 16 characters on, and what is assigned in them", () => {
    expect(of("  0123456789abcdef \nshort\r\n")).toEqual(["0123456789abcdef"]);
    expect(of("123456789012345678")).toEqual(["123456789012345678"]);
    expect(of("  oauth_token: gho_0123456789abcdef\n")).toContain("gho_0123456789abcdef");
    expect(of('export TOKEN="tok-0123456789abcdef"\n')).toContain("tok-0123456789abcdef");
  });

  it("knows a key of many lines however it is printed", () => {
    const key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nzz\n-----END KEY-----\n";
    const file = JSON.stringify({ private_key: key });
    const redact = createRedactor(of(file));
    for (const printed of [key, file, "first\n MIIEvQIBADANBgkqhkiG\n"]) {
      expect(redact(printed)).toContain("[redacted]");
      expect(redact(printed)).not.toContain("MIIEv");
    }
  });

  it("takes anything for content: nothing, bytes, deep nesting", () => {
    expect(of("{}", "null", "[]", Buffer.from([0xff, 0, 0xfe]))).toEqual([]);
    expect(of(`${"[".repeat(100_000)}"abcdefgh"${"]".repeat(100_000)}`)).toEqual(["abcdefgh"]);
  });
});
