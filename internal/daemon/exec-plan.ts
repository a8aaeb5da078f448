import { AppError } from "../base/index.ts";
import { IN_LANE, type LaneSpec, nodeCaEnv } from "../lane/index.ts";
import type { ApiExecPlan, ExecRequest } from "../protocol/index.ts";
import type { EngineConnection, LaneView } from "../supervisor/index.ts";

/**
 * How the engine's own CLI runs something in a lane: as the agent, without any capability, just as a job would be. It
 * enters as root only to be able to give those rights away.
 * @throws lane.not_ready
 */
export function execPlanOf(
  engine: EngineConnection,
  view: LaneView,
  spec: LaneSpec | null,
  request: ExecRequest,
): ApiExecPlan {
  const { lane, state } = view;
  const running = state.phase === "ready" || state.phase === "unready" || state.phase === "draining";
  if (!running || !spec) {
    throw new AppError({
      code: "lane.not_ready",
      message: `lane ${lane.name} has no running container (${state.phase})`,
      hint: `start it: lane start ${lane.name}`,
      retry: "retryable",
    });
  }
  const { agentUid, agentGid } = spec.security;
  const env = Object.entries(nodeCaEnv(spec.env)).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const tty = request.tty ? ["-t"] : [];
  const drop = ["--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"];
  return {
    argv: [
      ...["podman", "--remote", "--url", engine.facts.address, "exec", "-i", ...tty, ...env],
      ...["--user", "0", "--workdir", IN_LANE.workspace, state.containerId],
      ...["setpriv", `--reuid=${agentUid}`, `--regid=${agentGid}`, ...drop, "--", ...request.argv],
    ],
    env: {},
  };
}
