export { buildSpec, type EngineProfile, type InstallFacts, type LaneFacts } from "./build-spec.ts";
export { judgeLiveness, type Liveness, type PidFacts } from "./liveness.ts";
export { deathCause, driftCause, isFailure, planLane } from "./plan.ts";
export {
  DEFAULT_PLAN_LIMITS,
  type LaneRequest,
  type Observed,
  type ObservedLaneContainer,
  type Plan,
  type PlanLimits,
  type PlanStep,
  type Wanted,
} from "./plan-types.ts";
export { isDestructive, renderPlan, renderStep } from "./render-plan.ts";
export { DEFAULT_RESTART_POLICY, decideRestart, type RestartPolicy, type RestartVerdict } from "./restart-policy.ts";
