import { writeFileSync } from "node:fs";
import { buildOpenApi } from "./openapi.ts";

/** Regenerates docs/openapi.json: `npx tsx internal/hostapi/write-openapi.ts`. A test compares the file. */
writeFileSync(new URL("../../docs/openapi.json", import.meta.url), `${JSON.stringify(buildOpenApi(), null, 2)}\n`);
