import { join } from "node:path";
import { Agent, request } from "undici";
import type { Installation } from "./installation.ts";

/** One call of the host API over the installation's unix socket. Throws with the problem's text on an error status. */
export async function callApi<T = unknown>(
  home: Installation,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T> {
  const text = await askApi(home, method, path, body);
  return (text === "" ? null : JSON.parse(text)) as T;
}

/** The text of a GET of the host API. Throws as {@link callApi}. */
export function readApi(home: Installation, path: string): Promise<string> {
  return askApi(home, "GET", path);
}

async function askApi(
  home: Installation,
  method: "GET" | "POST" | "DELETE",
  path: string,
  body?: unknown,
): Promise<string> {
  const dispatcher = new Agent({
    connect: { socketPath: join(home.env.XDG_RUNTIME_DIR as string, "lanekeeper", "api.sock") },
  });
  try {
    const answer = await request(`http://localhost${path}`, {
      method,
      dispatcher,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return text;
  } finally {
    await dispatcher.close();
  }
}
