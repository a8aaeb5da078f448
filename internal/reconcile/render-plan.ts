import { assertNever } from "../base/index.ts";
import { renderPackages } from "../lane/index.ts";
import type { Plan, PlanStep } from "./plan-types.ts";

/** Does a step end a container or what it holds? */
export function isDestructive(step: PlanStep): boolean {
  return step.op === "remove" || step.op === "stop" || step.op === "dispose";
}

/** One line for a step, as in `remove container 0123456789ab (drift: configuration drifted: image.id)`. */
export function renderStep(step: PlanStep): string {
  return `${actOf(step)} (${step.cause.code}: ${step.cause.message})`;
}

/** One line per step; `nothing to do` for an empty plan. */
export function renderPlan(plan: Plan): string {
  return plan.steps.length === 0 ? "nothing to do" : plan.steps.map(renderStep).join("\n");
}

function actOf(step: PlanStep): string {
  switch (step.op) {
    case "make_image":
      return `make an image with ${renderPackages(step.image.packages)}`;
    case "create":
      return `create container ${step.fingerprint.whole.slice(0, 12)} of image ${step.spec.image.id.slice(0, 12)}`;
    case "start":
      return "start container";
    case "restart":
      return `keep container ${step.containerId.slice(0, 12)}`;
    case "prove":
      return "wait for the worker's proof";
    case "adopt":
      return `adopt container ${step.containerId.slice(0, 12)}`;
    case "unpause":
      return `unpause container ${step.containerId.slice(0, 12)}`;
    case "drain":
      return "take no new jobs, wait for the running one";
    case "undrain":
      return "take jobs again";
    case "hold":
      return step.fields.length > 0 ? `hold drift of ${step.fields.length} fields` : "leave as it is";
    case "stop":
      return `stop container ${step.containerId.slice(0, 12)}`;
    case "settle_stopped":
      return "record as stopped";
    case "remove":
      return `remove container ${step.containerId.slice(0, 12)}`;
    case "fail":
      return step.terminal ? "give up" : "try again later";
    case "dispose":
      return "remove network, volume and record";
    default:
      return assertNever(step);
  }
}
