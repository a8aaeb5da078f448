import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostFrameSchema } from "../../protocol/index.ts";
import { parseHandshake } from "./parse-handshake.ts";

const NONCE = "0a".repeat(16);
const MAC = "0b".repeat(32);
const hello = { t: "hello", protocol: 1, generation: 3, nonce: NONCE };
const proof = { t: "proof", mac: MAC };

describe("the frames of a handshake, parsed by hand", () => {
  it.each([[hello], [proof]])("are taken as they are: %j", (frame) => {
    expect(parseHandshake(JSON.stringify(frame))).toEqual(frame);
  });

  it.each([
    "",
    "null",
    "[]",
    "{",
    JSON.stringify([hello]),
    JSON.stringify({ t: "ping", id: 1 }),
    `{"t":"proof","mac":"${MAC}"${" ".repeat(600)}}`,
  ])("are nothing else: %s", (text) => {
    expect(parseHandshake(text)).toBeNull();
  });

  it("are exactly what the schema takes", () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        "hello",
        "proof",
        "ping",
        NONCE,
        MAC,
        NONCE.toUpperCase(),
        `${MAC}\n`,
        null,
        0,
        1,
        -1,
        1.5,
      ),
      fc.integer(),
      fc.string(),
    );
    const member = fc.constantFrom("t", "protocol", "generation", "nonce", "mac", "more");
    const change = fc.option(fc.tuple(member, value));
    const drop = fc.option(member);
    fc.assert(
      fc.property(fc.constantFrom<Record<string, unknown>>(hello, proof), change, drop, (frame, changed, dropped) => {
        const mutated = { ...frame, ...(changed ? { [changed[0]]: changed[1] } : {}) };
        if (dropped) delete mutated[dropped];
        const text = JSON.stringify(mutated);
        const parsed = hostFrameSchema.safeParse(JSON.parse(text));
        const wanted = parsed.success && (parsed.data.t === "hello" || parsed.data.t === "proof") ? parsed.data : null;
        expect(parseHandshake(text)).toEqual(wanted);
      }),
      { numRuns: 2000 },
    );
  });
});
