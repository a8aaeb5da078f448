import { AppError } from "../base/index.ts";
import type { Job, JobSpec } from "../job/index.ts";
import type { StartWork } from "../protocol/index.ts";
import type { WorkResolver } from "./ports.ts";

/**
 * Work without agents: commands run as they are, in the worktree, with the container's environment and no stdin.
 * The deadline is kept by the worker, which sees the process; the host needs no timer of its own for it.
 */
export function createCommandResolver(opts: { readonly outputCapBytes: number }): WorkResolver {
  return {
    settle: (spec) => {
      argvOf(spec);
      return spec;
    },
    resolve: async (job) => toStartWork(job, opts.outputCapBytes),
    holdOf: () => null,
    judge: () => null,
  };
}

function toStartWork(job: Job, outputCapBytes: number): StartWork {
  return {
    argv: [...argvOf(job.spec)],
    env: {},
    cwd: "/workspace",
    stdin: null,
    deadlineMs: job.spec.deadlineMs,
    outputCapBytes,
  };
}

function argvOf(spec: JobSpec): readonly string[] {
  if (spec.work.kind === "command") return spec.work.argv;
  throw new AppError({
    code: "usage.invalid",
    message: "prompts need an agent, and there is none here",
    hint: "give a command instead: lane run <lane> -- CMD ARG...",
  });
}
