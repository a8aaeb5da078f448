import { request } from "node:http";
import { errnoOf } from "../base/index.ts";
import type { DaemonFact } from "./facts.ts";

const STATUS_BUDGET_MS = 2000;

/** Asks the daemon's socket who it is. Never throws. */
export async function observeDaemon(socketPath: string): Promise<DaemonFact> {
  try {
    const status: unknown = JSON.parse(await readStatus(socketPath));
    return {
      kind: "answers",
      build: textField(status, "build") ?? "unknown",
      api: textField(status, "api"),
    };
  } catch (caught) {
    return errnoOf(caught) === "ENOENT" ? { kind: "absent" } : { kind: "stale" };
  }
}

function readStatus(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: "/v1/status", timeout: STATUS_BUDGET_MS }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
      answer.on("error", reject);
    });
    call.on("timeout", () => call.destroy(new Error("no answer")));
    call.on("error", reject);
    call.end();
  });
}

function textField(value: unknown, key: string): string | null {
  if (typeof value !== "object" || value === null) return null;
  const field = (value as Readonly<Record<string, unknown>>)[key];
  return typeof field === "string" ? field : null;
}
