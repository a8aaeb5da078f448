import * as z from "zod";
import { DEFAULT_WORKSPACE_SETTINGS, type WorkspaceSettings } from "../lane/index.ts";
import { storedPackages } from "./parse-lane.ts";
import { parseStored } from "./parse-stored.ts";
import type { Tx } from "./tx.ts";

/** A person's word on what a repository asks for. */
export type ApprovalWord = "approved" | "denied";

/** A repository's own file as it was last fit to be used for a lane. */
interface GoodFile {
  readonly commit: string;
  /** Null: there was none. */
  readonly text: string | null;
}

/** How a lane's container was prepared. */
export interface SetupRecord {
  /** Of the container. */
  readonly generation: number;
  /** The job that does it; null: there was nothing to do. */
  readonly job: string | null;
  /** How many jobs there were for this generation. */
  readonly tries: number;
  /** A person said to go on without it. */
  readonly skipped: boolean;
}

/** What lanes are made with beyond their own settings. Synchronous, durable on return. */
export interface LaneConfigRecords {
  settingsOf(workspace: string): WorkspaceSettings;
  saveSettings(workspace: string, settings: WorkspaceSettings): void;
  /** What was said of this content in this workspace; null for nothing. */
  findApproval(workspace: string, sha256: string): ApprovalWord | null;
  putApproval(workspace: string, sha256: string, word: ApprovalWord, atMs: number): void;
  findGoodFile(lane: string): GoodFile | null;
  /** Without effect for a lane that is not on record. */
  saveGoodFile(lane: string, file: GoodFile): void;
  findSetup(lane: string): SetupRecord | null;
  /** Without effect for a lane that is not on record. */
  saveSetup(lane: string, setup: SetupRecord): void;
}

const commands = z.array(z.union([z.string(), z.array(z.string())])).nullable();

// Settings written by an older build lack the fields that were added since; their default stands in.
const settings = z
  .object({
    image: z.string().nullable(),
    agent: z.string().nullable(),
    memoryBytes: z.number().nullable(),
    cpus: z.number().nullable(),
    pids: z.number().nullable(),
    env: z.record(z.string(), z.string()),
    skills: z.union([z.literal("all"), z.array(z.string())]).nullable(),
    base: z.string().nullable(),
    ports: z.array(z.number()).nullable(),
    packages: storedPackages,
    setup: commands,
    teardown: commands,
  })
  .partial();

interface SetupRow {
  readonly generation: number;
  readonly job: string | null;
  readonly tries: number;
  readonly skipped: number;
}

/** The records in `tx`. */
export function createLaneConfigRecords(tx: Tx): LaneConfigRecords {
  const { db, path } = tx;
  const settingsBy = db.prepare<[string], { readonly settings: string }>(
    "SELECT settings FROM workspace_settings WHERE workspace = ?",
  );
  const putSettings = db.prepare("INSERT OR REPLACE INTO workspace_settings VALUES (?, ?)");
  const approvalBy = db.prepare<[string, string], { readonly word: ApprovalWord }>(
    "SELECT word FROM approvals WHERE workspace = ? AND sha256 = ?",
  );
  const putApproval = db.prepare("INSERT OR REPLACE INTO approvals VALUES (?, ?, ?, ?)");
  const fileBy = db.prepare<[string], { readonly commit_id: string; readonly text: string | null }>(
    "SELECT commit_id, text FROM repository_files WHERE lane = ?",
  );
  const putFile = db.prepare("INSERT OR REPLACE INTO repository_files SELECT id, ?, ? FROM lanes WHERE id = ?");
  const setupBy = db.prepare<[string], SetupRow>("SELECT * FROM lane_setups WHERE lane = ?");
  const putSetup = db.prepare("INSERT OR REPLACE INTO lane_setups SELECT id, ?, ?, ?, ? FROM lanes WHERE id = ?");
  const write = (run: () => unknown): void => tx.write(() => void run());
  return {
    settingsOf: (workspace) =>
      tx.read(() => {
        const row = settingsBy.get(workspace);
        if (!row) return DEFAULT_WORKSPACE_SETTINGS;
        const stored = parseStored(settings, row.settings, { path, what: `workspace ${workspace}, settings` });
        const given = Object.fromEntries(Object.entries(stored).filter(([, value]) => value !== undefined));
        return { ...DEFAULT_WORKSPACE_SETTINGS, ...given };
      }),
    saveSettings: (workspace, value) => write(() => putSettings.run(workspace, JSON.stringify(value))),
    findApproval: (workspace, sha256) => tx.read(() => approvalBy.get(workspace, sha256)?.word ?? null),
    putApproval: (workspace, sha256, word, atMs) => write(() => putApproval.run(workspace, sha256, word, atMs)),
    findGoodFile: (lane) =>
      tx.read(() => {
        const row = fileBy.get(lane);
        return row ? { commit: row.commit_id, text: row.text } : null;
      }),
    saveGoodFile: (lane, { commit, text }) => write(() => putFile.run(commit, text, lane)),
    findSetup: (lane) =>
      tx.read(() => {
        const row = setupBy.get(lane);
        return row ? { ...row, skipped: row.skipped !== 0 } : null;
      }),
    saveSetup: (lane, { generation, job, tries, skipped }) =>
      write(() => putSetup.run(generation, job, tries, skipped ? 1 : 0, lane)),
  };
}
