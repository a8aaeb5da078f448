import { get } from "node:http";
import { pause } from "./measure.ts";

/** Gives up after so long, ms. */
const PROBE_BUDGET_MS = 60_000;

/** Asks `url` until it answers 200, every `everyMs` from now on. */
export async function probeUntilOk(
  url: string,
  opts: { readonly everyMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const untilMs = performance.now() + PROBE_BUDGET_MS;
  while (!(await answersOk(url))) {
    if (performance.now() > untilMs) throw new Error(`${url} did not answer within ${PROBE_BUDGET_MS / 1000} s`);
    await pause(opts.everyMs, opts.signal);
  }
}

/** Does `url` answer 200, on a new connection? */
export function answersOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      response.once("error", () => resolve(false));
      response.once("end", () => resolve(response.statusCode === 200));
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}
