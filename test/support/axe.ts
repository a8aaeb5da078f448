import axe from "axe-core";
import type { Page } from "playwright-core";

/** What axe finds on the page, serious or worse: `rule: element`. Contrast is among it. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  // Evaluated by the debugger, so that the page's own policy stays as it is.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run({ resultTypes: ["violations"] }),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.failureSummary ?? ""}`));
}
