import type { Check } from "./check.ts";
import { checkEngine } from "./checks-engine.ts";
import { checkMachine } from "./checks-machine.ts";
import { checkPrograms } from "./checks-programs.ts";
import type { DoctorFacts } from "./facts.ts";

/** Judges the facts: programs, then the engine, then the machine. Pure. */
export function evaluateChecks(facts: DoctorFacts): readonly Check[] {
  return [...checkPrograms(facts.host), ...checkEngine(facts), ...checkMachine(facts)];
}
