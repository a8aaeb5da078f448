import { expect, it } from "vitest";
import { createFakeClock } from "../base/testing.ts";
import { createLoginDesk } from "./login.ts";

const TOKEN = "t".repeat(64);

it("exchanges a code once, and in time", async () => {
  const clock = createFakeClock();
  const desk = createLoginDesk({ token: TOKEN, clock });
  const { code, expiresAtMs } = desk.issue();
  expect(code).toMatch(/^[0-9a-f]{32}$/);
  expect(expiresAtMs - clock.nowMs()).toBe(300_000);
  expect(desk.redeem(code)).toBe(TOKEN);
  expect(() => desk.redeem(code)).toThrow(expect.objectContaining({ code: "request.unauthorized" }));

  const [late, inTime] = [desk.issue().code, desk.issue().code];
  await clock.advance(299_999);
  expect(desk.redeem(inTime)).toBe(TOKEN);
  await clock.advance(1);
  expect(() => desk.redeem(late)).toThrow("used before, or is too old");
});

it("keeps the newest codes, and bounds wrong ones without keeping the right one out", async () => {
  const clock = createFakeClock();
  const desk = createLoginDesk({ token: TOKEN, clock });
  const codes = Array.from({ length: 33 }, () => desk.issue().code);
  expect(() => desk.redeem(codes[0] ?? "")).toThrow("used before");
  expect(desk.redeem(codes[1] ?? "")).toBe(TOKEN);
  for (let i = 1; i < 30; i++) expect(() => desk.redeem("0".repeat(32))).toThrow("used before");
  expect(() => desk.redeem("0".repeat(32))).toThrow(expect.objectContaining({ code: "request.forbidden" }));
  expect(desk.redeem(codes[32] ?? "")).toBe(TOKEN);
  await clock.advance(60_000);
  expect(() => desk.redeem("0".repeat(32))).toThrow("used before");
});
