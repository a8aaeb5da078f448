import { createHash } from "node:crypto";
import { AppError } from "../../base/index.ts";
import { canonicalJson } from "../../fingerprint/index.ts";
import type { InboxItem } from "../../job/index.ts";
import { REPOSITORY_FILE, type Widening, type Workspace } from "../../lane/index.ts";
import type { LaneConfigRecords } from "../../store/index.ts";

/** Where people are asked; the inbox fits. */
export interface ApprovalDesk {
  raise(said: {
    readonly kind: "approval";
    readonly subject: string;
    readonly occurrence: string;
    readonly laneId: null;
    readonly jobId: null;
    readonly title: string;
    readonly body: string;
    readonly choices: readonly string[];
    readonly data: Readonly<Record<string, unknown>>;
  }): void;
  resolve(subject: string): void;
}

/** What a repository asks for, and what was said to it. */
export interface Asked {
  readonly sha256: string;
  readonly fields: readonly Widening[];
  readonly word: "approved" | "denied" | "pending";
}

/** A person's word on what repositories ask for beyond what was configured. */
export interface Approvals {
  /** Null: it asks for nothing. */
  wordOn(workspaceId: string, fields: readonly Widening[]): Asked | null;
  /** Asks a person, unless somebody was asked or has said so already. */
  ask(workspace: Workspace, commit: string, asked: Asked): void;
  /** Nobody needs to say anything to this content any more. */
  drop(workspaceId: string, sha256: string): void;
  decide(workspaceId: string, sha256: string, word: "approved" | "denied"): void;
  /** What an answered item has decided: the workspace; null for other items. */
  onAnswered(item: InboxItem, choice: string): string | null;
}

const CHOICES = ["approve", "deny"] as const;
const SUBJECT = "config";

/** Approval is of exactly this content, in this workspace: one byte more is another one. */
function pinOf(workspaceId: string, fields: readonly Widening[]): string {
  const content = fields.map(({ field, is }) => ({ field, is }));
  return createHash("sha256")
    .update(`lanekeeper-widening-1\n${canonicalJson({ workspace: workspaceId, content })}`)
    .digest("hex");
}

/** See {@link Approvals}. `findItem`: the newest item of a subject. */
export function createApprovals(deps: {
  readonly records: LaneConfigRecords;
  readonly desk: ApprovalDesk;
  readonly findItem: (subject: string) => InboxItem | null;
  readonly nowMs: () => number;
}): Approvals {
  const { records, desk } = deps;
  const subjectOf = (workspaceId: string, sha256: string) => `${SUBJECT}:${workspaceId}:${sha256}`;
  const decide: Approvals["decide"] = (workspaceId, sha256, word) => {
    records.putApproval(workspaceId, sha256, word, deps.nowMs());
    desk.resolve(subjectOf(workspaceId, sha256));
  };
  const wordOn: Approvals["wordOn"] = (workspaceId, fields) => {
    if (fields.length === 0) return null;
    const sha256 = pinOf(workspaceId, fields);
    return { sha256, fields, word: records.findApproval(workspaceId, sha256) ?? "pending" };
  };
  return {
    wordOn,
    ask: (workspace, commit, { sha256, fields }) => {
      const subject = subjectOf(workspace.id, sha256);
      const item = deps.findItem(subject);
      // The daemon may have died between an answer and its effect.
      if (item?.state.phase === "answered") {
        decide(workspace.id, sha256, item.state.answer.startsWith(CHOICES[0]) ? "approved" : "denied");
        return;
      }
      desk.raise({
        kind: "approval",
        subject,
        occurrence: sha256,
        laneId: null,
        jobId: null,
        title: `${workspace.name}: ${REPOSITORY_FILE} asks for ${fields.map(({ field }) => field).join(", ")}`,
        body: bodyOf(commit, fields),
        choices: CHOICES,
        data: { workspace: workspace.id, commit, sha256, fields },
      });
    },
    drop: (workspaceId, sha256) => desk.resolve(subjectOf(workspaceId, sha256)),
    decide,
    onAnswered: (item, choice) => {
      const [head, workspaceId, sha256, ...rest] = item.subject?.split(":") ?? [];
      if (head !== SUBJECT || workspaceId === undefined || sha256 === undefined || rest.length > 0) return null;
      decide(workspaceId, sha256, choice === CHOICES[0] ? "approved" : "denied");
      return workspaceId;
    },
  };
}

/** Only what was shown can be approved. @throws request.key_conflict when the file asks for something else by now */
export function refuseOther(asked: Asked | null, sha256: string): void {
  if (asked?.sha256 === sha256) return;
  throw new AppError({
    code: "request.key_conflict",
    message:
      asked === null ? `${REPOSITORY_FILE} asks for nothing` : `${REPOSITORY_FILE} asks for something else by now`,
    hint: "look again: lane config repository <workspace>",
  });
}

function bodyOf(commit: string, fields: readonly Widening[]): string {
  // As code: the values are anybody's text.
  const code = (text: string) => `\`${text.replace(/[`\s]/g, " ")}\``;
  const lines = fields.map(
    ({ field, was, is }) => `- ${code(field)}: ${was === null ? "nothing" : code(was)} → ${code(is)}`,
  );
  return [`As of commit ${commit.slice(0, 12)}. Until this is approved it has no effect.`, "", ...lines].join("\n");
}
