import { AppError } from "../../base/index.ts";
import { IN_LANE, type LaneSpec, nodeCaEnv } from "../../lane/index.ts";
import type { ApiExecPlan, ExecRequest } from "../../protocol/index.ts";
import type { EngineConnection, LaneView } from "../../supervisor/index.ts";

/** Something run in a lane: as the agent, without any capability, just as a job would be. */
export interface LaneCommand {
  readonly containerId: string;
  readonly env: Readonly<Record<string, string>>;
  /** It enters as root only to be able to give those rights away. */
  readonly user: string;
  readonly workdir: string;
  readonly argv: readonly string[];
}

/** How the lane's container is entered to run `argv`. @throws lane.not_ready */
export function laneCommandOf(view: LaneView, spec: LaneSpec | null, argv: readonly string[]): LaneCommand {
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
  const drop = ["--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"];
  return {
    containerId: state.containerId,
    env: nodeCaEnv(spec.env),
    user: "0",
    workdir: IN_LANE.workspace,
    argv: ["setpriv", `--reuid=${agentUid}`, `--regid=${agentGid}`, ...drop, "--", ...argv],
  };
}

/** How the engine's own CLI runs something in a lane. @throws lane.not_ready */
export function execPlanOf(
  engine: EngineConnection,
  view: LaneView,
  spec: LaneSpec | null,
  request: ExecRequest,
): ApiExecPlan {
  const command = laneCommandOf(view, spec, request.argv);
  const env = Object.entries(command.env).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const tty = request.tty ? ["-t"] : [];
  return {
    argv: [
      ...["podman", "--remote", "--url", engine.facts.address, "exec", "-i", ...tty, ...env],
      ...["--user", command.user, "--workdir", command.workdir, command.containerId, ...command.argv],
    ],
    env: {},
  };
}
