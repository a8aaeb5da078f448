export type { CliDeps, DaemonPlaces } from "./context.ts";
export type { CliIo, Input, Output, StopSignal } from "./io.ts";
export { createProcessIo } from "./process-io.ts";
export { runCli } from "./run-cli.ts";
