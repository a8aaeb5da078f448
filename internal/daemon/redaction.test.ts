import { expect, it } from "vitest";
import { createRedaction } from "./redaction.ts";

it("follows the credentials: new ones count at once, the last ones yet, older ones no more, fixed ones always", () => {
  const redaction = createRedaction(["api-token-0"]);
  const { redact } = redaction;
  const seen = () => redact("api-token-0 secret-one secret-two secret-three");
  expect(seen()).toBe("[redacted] secret-one secret-two secret-three");
  redaction.renew(["secret-one"]);
  expect(seen()).toBe("[redacted] [redacted] secret-two secret-three");
  redaction.renew(["secret-two"]);
  expect(seen()).toBe("[redacted] [redacted] [redacted] secret-three");
  redaction.renew(["secret-three"]);
  expect(seen()).toBe("[redacted] secret-one [redacted] [redacted]");
});
