import { expect, it } from "vitest";
import { createRedaction } from "./redaction.ts";

it("follows the credentials: new ones count at once, earlier ones yet, ages ago ones no more, fixed ones always", () => {
  const redaction = createRedaction(["api-token-0"]);
  const { redact } = redaction;
  const seen = () => redact("api-token-0 secret-one secret-two secret-three");
  expect(seen()).toBe("[redacted] secret-one secret-two secret-three");
  redaction.renew(["secret-one"]);
  expect(seen()).toBe("[redacted] [redacted] secret-two secret-three");
  redaction.renew(["secret-two"]);
  expect(seen()).toBe("[redacted] [redacted] [redacted] secret-three");
  redaction.renew(["secret-three"]);
  expect(seen()).toBe("[redacted] [redacted] [redacted] [redacted]");
  redaction.renew(Array.from({ length: 150 }, (_, i) => `filler-${i}`));
  redaction.renew(Array.from({ length: 150 }, (_, i) => `other-${i}`));
  redaction.renew(["secret-two"]);
  redaction.renew(["secret-four"]);
  expect(seen()).toBe("[redacted] secret-one [redacted] secret-three");
});
