export { engineSettings, RUNTIMES } from "./core.ts";
export { type DaemonOptions, runDaemon } from "./daemon.ts";
export { observePodman } from "./doctor-probes.ts";
export { loginVariables } from "./open-credentials.ts";
