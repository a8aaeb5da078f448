export type { Check, CheckLevel } from "./check.ts";
export { evaluateChecks } from "./checks.ts";
export type {
  DaemonFact,
  DoctorEngine,
  DoctorFacts,
  DoctorPodmanFacts,
  DoctorProfile,
  FolderFact,
  HostFacts,
  ToolFact,
} from "./facts.ts";
export { execRepair, observeHost, type ProbeHostInput } from "./probe-host.ts";
export { observeFolder } from "./probe-machine.ts";
export type { Repair } from "./repairs.ts";
export {
  type DoctorProbes,
  type DoctorReport,
  runDoctor,
} from "./run-doctor.ts";
