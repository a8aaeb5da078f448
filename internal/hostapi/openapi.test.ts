import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildOpenApi } from "./openapi.ts";
import { ROUTES } from "./routes.ts";

describe("docs/openapi.json", () => {
  it("is what the schemas say; regenerate with: npx tsx internal/hostapi/write-openapi.ts", () => {
    const committed = readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8");
    expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(buildOpenApi())));
  });

  it("describes every route, and every reference leads somewhere", () => {
    const document = buildOpenApi() as {
      paths: Record<string, Record<string, unknown>>;
      components: { schemas: Record<string, unknown> };
    };
    for (const route of ROUTES) expect(document.paths[route.path]?.[route.method.toLowerCase()]).toBeDefined();
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]);
    expect(references.length).toBeGreaterThan(50);
    for (const reference of new Set(references)) {
      const name = reference?.replace("#/components/schemas/", "") ?? "";
      expect(document.components.schemas, reference).toHaveProperty(name);
      expect(document.components.schemas[name]).not.toHaveProperty("$ref");
    }
  });
});
