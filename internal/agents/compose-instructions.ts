import { INBOX_HELP } from "./inbox-help.ts";

/** What a lane's agents are told of it, and what people want them to be told. */
export interface InstructionFacts {
  readonly lane: string;
  readonly branch: string;
  /** Null when its workspace is not registered any more. */
  readonly workspace: string | null;
  /** People's own texts; null or blank: there is none. */
  readonly base: string | null;
  readonly ofWorkspace: string | null;
  readonly ofLane: string | null;
}

/** One text for all agents, in Markdown: where they are, then the base, the workspace's part and the lane's, in this order. */
export function composeInstructions(facts: InstructionFacts): string {
  const parts = [renderPlace(facts), facts.base, facts.ofWorkspace, facts.ofLane];
  return parts
    .map((part) => `${(part ?? "").replaceAll("\r\n", "\n").trim()}\n`)
    .filter((part) => part !== "\n")
    .join("\n");
}

function renderPlace({ lane, branch, workspace }: InstructionFacts): string {
  return `# Where you are

You work in the lane \`${lane}\` of Lanekeeper${workspace === null ? "" : `, workspace \`${workspace}\``}: a container of its own for one branch.

- \`/workspace\` is the branch's working tree. Stay on its branch, \`${branch}\`: other branches are other lanes.
- What you commit there is your work's result; what is not committed stays in this lane.
- Your home folder and \`/workspace\` outlive the container, everything else may be gone with the next job.
- \`inbox context\` prints which lane and job this is. \`/run/lane\` is the host's and read-only.

# Asking and reporting

- Ask instead of guessing: whatever only a person can decide, or would want to, with \`inbox ask\`.
- After \`inbox ask --no-wait\` just end your turn. You are woken in this session with the answer, even days later.
- When your work is finished, end with \`inbox report --level done "what was done, what is open"\`.

\`\`\`text
${INBOX_HELP}\`\`\``;
}
