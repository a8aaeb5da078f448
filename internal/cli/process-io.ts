import { createInterface } from "node:readline";
import type { CliIo, Input, Output, StopSignal } from "./io.ts";

const SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM"];

/** The CLI's view of a real process, which `cmd/lane` hands in. Signal handlers are installed only while someone listens. */
export function createProcessIo(proc: NodeJS.Process): CliIo {
  return {
    argv: proc.argv.slice(2),
    env: proc.env,
    cwd: proc.cwd(),
    stdin: toInput(proc.stdin),
    stdout: toOutput(proc.stdout),
    stderr: toOutput(proc.stderr),
    onSignal(handler) {
      for (const signal of SIGNALS) proc.on(signal, handler);
      return () => {
        for (const signal of SIGNALS) proc.off(signal, handler);
      };
    },
  };
}

function toInput(stream: NodeJS.ReadStream): Input {
  return {
    isTty: stream.isTTY === true,
    async readAll() {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString("utf8");
    },
    readLine: () =>
      new Promise((resolve) => {
        const lines = createInterface({ input: stream });
        lines.once("line", (line) => {
          resolve(line);
          lines.close();
        });
        lines.once("close", () => resolve(""));
      }),
  };
}

function toOutput(stream: NodeJS.WriteStream): Output {
  // Each write reports its own failure; without a listener the event would end the process.
  stream.on("error", () => {});
  return {
    isTty: stream.isTTY === true,
    get columns() {
      return stream.columns;
    },
    write: (chunk) =>
      new Promise((resolve, reject) => {
        stream.write(chunk, (error) => (error ? reject(error) : resolve()));
      }),
  };
}
