import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { ProcessIdentity } from "../identity.ts";
import { toIdentityArgv } from "../identity.ts";
import { type PlaceOrder, placeFiles } from "./place-files.ts";
import { type ReadOrder, readPlaced } from "./read-placed.ts";

/** The placer's side: reads one order from stdin, carries it out, and prints the answer. */
export async function runPlacer(stdin: Readable, stdout: Writable): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(chunk as Buffer);
  const order = JSON.parse(Buffer.concat(chunks).toString("utf8")) as PlaceOrder | ReadOrder;
  stdout.write(JSON.stringify("read" in order ? readPlaced(order) : placeFiles(order)));
}

/** How a placer came out: what it printed, as untrusted text, or why there is nothing. */
export type PlacerEnd =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "failed"; readonly reason: string };

/** A manifest of all files that fit a frame is far below, and so are the login files that are read. */
const ANSWER_MAX_BYTES = 384 * 1024;

/**
 * Runs a placer as the agent's user. The order goes through stdin: arguments and environment of a process are there for
 * others to read. Its stderr is not read, as an error's text could quote what it choked on. Whoever runs as the same
 * user can stop it: after `timeoutMs` it is killed.
 */
export function callPlacer(
  what: { readonly identity: ProcessIdentity; readonly argv: readonly string[]; readonly timeoutMs: number },
  order: PlaceOrder | ReadOrder,
): Promise<PlacerEnd> {
  const [file, ...args] = [...toIdentityArgv(what.identity), ...what.argv];
  if (file === undefined) return Promise.resolve({ kind: "failed", reason: "this worker has no placer" });
  return new Promise((resolve) => {
    const child: ChildProcess = spawn(file, args, { cwd: "/", env: {}, stdio: ["pipe", "pipe", "ignore"] });
    let text = "";
    let why: string | null = null;
    const kill = (reason: string) => {
      why ??= reason;
      child.kill("SIGKILL");
      // Should it not die, or something else hold its output open, nobody waits for it.
      child.stdout?.destroy();
      resolve({ kind: "failed", reason });
    };
    const timer = setTimeout(() => kill(`not done after ${what.timeoutMs} ms`), what.timeoutMs);
    child.stdin?.on("error", () => {});
    child.stdout?.on("error", () => {});
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (text.length > ANSWER_MAX_BYTES) kill("its answer is too long");
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      resolve({ kind: "failed", reason: error.message });
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (why !== null) return;
      resolve(code === 0 ? { kind: "answered", text } : { kind: "failed", reason: `ended with ${signal ?? code}` });
    });
    child.stdin?.end(JSON.stringify(order));
  });
}
