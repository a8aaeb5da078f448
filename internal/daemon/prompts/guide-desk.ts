import { join } from "node:path";
import { AGENTS, composeInstructions } from "../../agents/index.ts";
import { AppError, Semaphore } from "../../base/index.ts";
import { INSTRUCTIONS_MAX_BYTES, placeGuide, readFragment, readSkills, tooLong } from "../../host/index.ts";
import { IN_LANE, type Lane, type SkillChoice, type Workspace } from "../../lane/index.ts";

/** What guides are made of. */
export interface GuideDeps {
  /** Holds `instructions/` and `skills/`, the user's own. */
  readonly configDir: string;
  /** Holds one bootstrap folder per lane. */
  readonly bootDir: string;
  /** For lanes that choose none. */
  readonly skills: SkillChoice;
  readonly findLane: (laneId: string) => Lane | null;
  readonly findWorkspace: (id: string) => Workspace | null;
}

const ENTRIES = AGENTS.flatMap(({ guide }) => guide ?? []);

/**
 * What agents are told beside their prompts: instructions composed of Lanekeeper's own words and the user's files
 * `base.md`, `workspaces/WORKSPACE.md` and `workspaces/WORKSPACE/LANE.md`, and the chosen skills. The returned function
 * reads all of it anew and puts it in force in the lane; it gives the folder's path in the lane.
 * @throws config.invalid, store.*, lane.not_ready
 */
export function createGuideDesk(deps: GuideDeps): (laneId: string) => Promise<string> {
  const texts = join(deps.configDir, "instructions");
  // One after the other: a job that was cancelled may still be having its guide renewed when the next one comes.
  const turns = new Semaphore(1);
  const renew = async (laneId: string) => {
    const lane = deps.findLane(laneId);
    if (lane === null) throw new AppError({ code: "lane.not_found", message: `there is no lane ${laneId}` });
    const workspace = deps.findWorkspace(lane.workspaceId)?.name ?? null;
    // A name that is no file's has none.
    const own = workspace !== null && !/[/\0]|^\.{0,2}$/.test(workspace) ? join(texts, "workspaces", workspace) : null;
    const [base, ofWorkspace, ofLane, skills] = await Promise.all([
      readFragment(join(texts, "base.md")),
      own === null ? null : readFragment(`${own}.md`),
      own === null ? null : readFragment(join(own, `${lane.name}.md`)),
      readSkills(join(deps.configDir, "skills"), lane.settings.skills ?? deps.skills),
    ]);
    const { name, branch } = lane;
    const instructions = composeInstructions({ lane: name, branch, workspace, base, ofWorkspace, ofLane });
    const bytes = Buffer.byteLength(instructions);
    if (bytes > INSTRUCTIONS_MAX_BYTES) throw tooLong(`lane ${name}: its instructions are, all together,`, bytes);
    await placeGuide(lane, join(deps.bootDir, laneId), { instructions, skills, entries: ENTRIES });
    return IN_LANE.guide;
  };
  return (laneId) => turns.run({}, () => renew(laneId));
}
