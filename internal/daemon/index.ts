export { engineSettings, RUNTIMES } from "./core.ts";
export { loginVariables } from "./credentials/open-credentials.ts";
export { type DaemonOptions, runDaemon } from "./daemon.ts";
export { observePodman } from "./doctor-probes.ts";
