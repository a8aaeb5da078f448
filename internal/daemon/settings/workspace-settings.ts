import { AppError, toAppError } from "../../base/index.ts";
import type { Settings } from "../../config/index.ts";
import {
  type Ceiling,
  inForce,
  type Lane,
  type LaneCause,
  type LayeredSettings,
  layerSettings,
  NO_REPOSITORY_CONFIG,
  REPOSITORY_FILE,
  type RepositoryConfig,
  toCause,
  type Workspace,
  type WorkspaceSettings,
  wideningOf,
} from "../../lane/index.ts";
import type { LaneConfigRecords } from "../../store/index.ts";
import { type Approvals, type Asked, refuseOther } from "./approvals.ts";
import { isOwnBase, type Reading, type RepositoryReader, toReading } from "./repository-config.ts";

/** A lane as its own settings, its workspace's and its repository's together make it. */
export interface LaneConfig extends Omit<LayeredSettings, "settings"> {
  /** With the settings that are in force. The same object until one of them changes. */
  readonly lane: Lane;
  readonly repository: {
    /** Where the file that is in force comes from; null for none. */
    readonly commit: string | null;
    /** Why a newer one is not in force. */
    readonly error: LaneCause | null;
    readonly asked: Asked | null;
  };
}

/** A repository's own file, for people. */
interface RepositoryView {
  readonly base: string | null;
  readonly reading: Reading;
  readonly asked: Asked | null;
}

/** What lanes are made with. */
export interface LaneConfigDesk {
  /** As it is now. Rejects with the signal only. */
  refresh(lane: Lane, opts: { readonly signal?: AbortSignal | undefined }): Promise<LaneConfig>;
  /** As last seen; without waiting. */
  current(lane: Lane): LaneConfig;
  /** @throws config.invalid when a lane of this base could not be made as its repository wants it */
  check(workspace: Workspace, base: string | null, opts: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  settingsOf(workspaceId: string): WorkspaceSettings;
  patch(workspaceId: string, change: Partial<WorkspaceSettings>): WorkspaceSettings;
  view(
    workspace: Workspace,
    base: string | null,
    opts: { readonly signal?: AbortSignal | undefined },
  ): Promise<RepositoryView>;
  /** @throws request.key_conflict when the file of this base asks for something else by now */
  decide(workspace: Workspace, said: Decision, opts: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Something was said elsewhere that concerns this workspace's lanes. */
  changed(workspaceId: string): void;
  forget(laneId: string): void;
}

/** A person's word on what a repository asks for. */
interface Decision {
  readonly base: string | null;
  readonly sha256: string;
  readonly word: "approved" | "denied";
}

/** What the desk works with. */
interface LaneConfigDeps {
  readonly reader: RepositoryReader;
  readonly records: LaneConfigRecords;
  readonly approvals: Approvals;
  readonly settings: Pick<Settings, "image" | "limits" | "skills">;
  readonly findWorkspace: (id: string) => Workspace | null;
  readonly lanes: () => readonly Lane[];
  /** What the lane is made with may be something else now. */
  readonly wake: (laneId: string) => void;
}

interface Known {
  readonly lane: Lane;
  readonly reading: Reading;
  readonly version: number;
  readonly config: LaneConfig;
}

/** See {@link LaneConfigDesk}. */
export function createLaneConfigDesk(deps: LaneConfigDeps): LaneConfigDesk {
  const { records, reader, approvals } = deps;
  const known = new Map<string, Known>();
  let version = 0;

  const ceilingOf = (workspace: WorkspaceSettings): Ceiling => ({
    image: workspace.image ?? deps.settings.image,
    memoryBytes: workspace.memoryBytes ?? deps.settings.limits.memoryBytes,
    cpus: workspace.cpus ?? deps.settings.limits.cpus,
    pids: workspace.pids ?? deps.settings.limits.pids,
    skills: workspace.skills ?? deps.settings.skills,
    packages: workspace.packages,
  });
  const askedBy = (workspaceId: string, config: RepositoryConfig): Asked | null =>
    approvals.wordOn(workspaceId, wideningOf(config, ceilingOf(records.settingsOf(workspaceId))));

  const build = (lane: Lane, at: { commit: string | null; config: RepositoryConfig; error: LaneCause | null }) => {
    const workspace = records.settingsOf(lane.workspaceId);
    const asked = askedBy(lane.workspaceId, at.config);
    const repository = inForce(at.config, ceilingOf(workspace), asked === null || asked.word === "approved");
    const { settings, ...rest } = layerSettings(lane, workspace, repository);
    return { ...rest, lane: { ...lane, settings }, repository: { commit: at.commit, error: at.error, asked } };
  };
  /** What was good last, for a lane whose repository cannot be read or says what cannot be. */
  const lastGood = (lane: Lane): { readonly commit: string | null; readonly config: RepositoryConfig } => {
    const file = records.findGoodFile(lane.id);
    const reading = file && toReading(file.commit, file.text);
    return reading?.kind === "good" ? reading : { commit: null, config: NO_REPOSITORY_CONFIG };
  };
  const put = (lane: Lane, reading: Reading): LaneConfig => {
    const before = known.get(lane.id);
    const isSame = before !== undefined && (before.reading === reading || isSameFailure(before.reading, reading));
    if (isSame && before.lane === lane && before.version === version) return before.config;
    const workspace = deps.findWorkspace(lane.workspaceId);
    if (reading.kind === "good") keepGood(lane, reading);
    const at =
      reading.kind === "good"
        ? { commit: reading.text === null ? null : reading.commit, config: reading.config, error: null }
        : { ...lastGood(lane), error: toCause(reading.error) };
    let config = build(lane, at);
    if (config.repository.asked?.word === "pending" && workspace) {
      approvals.ask(workspace, at.commit ?? "", config.repository.asked);
      config = build(lane, at);
    }
    known.set(lane.id, { lane, reading, version, config });
    dropUnasked(lane.workspaceId, before?.config.repository.asked?.sha256);
    return config;
  };
  const keepGood = (lane: Lane, { commit, text }: Extract<Reading, { readonly kind: "good" }>): void => {
    const file = records.findGoodFile(lane.id);
    if (file?.text !== text || file.commit !== commit) records.saveGoodFile(lane.id, { commit, text });
  };
  /** An item about content that no lane's base has any more is over. */
  const dropUnasked = (workspaceId: string, sha256: string | undefined): void => {
    if (sha256 === undefined) return;
    const isAsked = [...known.values()].some(
      ({ lane, config }) => lane.workspaceId === workspaceId && config.repository.asked?.sha256 === sha256,
    );
    if (!isAsked) approvals.drop(workspaceId, sha256);
  };
  const changed = (workspaceId: string): void => {
    version++;
    for (const lane of deps.lanes()) if (lane.workspaceId === workspaceId) deps.wake(lane.id);
  };
  const baseOf = (lane: Lane): string | null => lane.settings.base ?? records.settingsOf(lane.workspaceId).base;
  const view: LaneConfigDesk["view"] = async (workspace, base, opts) => {
    const named = base ?? records.settingsOf(workspace.id).base;
    const reading = await reader.read(workspace.path, named, opts);
    return { base: named, reading, asked: reading.kind === "good" ? askedBy(workspace.id, reading.config) : null };
  };

  return {
    refresh: async (lane, opts) => {
      const workspace = deps.findWorkspace(lane.workspaceId);
      const base = baseOf(lane);
      if (!workspace) return put(lane, NOTHING);
      if (isOwnBase(lane, base)) return put(lane, ownBase(known.get(lane.id)?.reading, lane, base));
      return put(lane, await reader.read(workspace.path, base, opts));
    },
    current: (lane) => {
      const at = known.get(lane.id);
      if (at?.lane === lane && at.version === version) return at.config;
      return at ? put(lane, at.reading) : build(lane, { ...lastGood(lane), error: null });
    },
    check: async (workspace, base, opts) => {
      const { reading } = await view(workspace, base, opts);
      if (reading.kind === "broken") throw reading.error;
    },
    settingsOf: records.settingsOf,
    patch: (workspaceId, change) => {
      const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
      records.saveSettings(workspaceId, { ...records.settingsOf(workspaceId), ...given });
      changed(workspaceId);
      return records.settingsOf(workspaceId);
    },
    view,
    decide: async (workspace, { base, sha256, word }, opts) => {
      refuseOther((await view(workspace, base, opts)).asked, sha256);
      approvals.decide(workspace.id, sha256, word);
      changed(workspace.id);
    },
    changed,
    forget: (laneId) => {
      const gone = known.get(laneId);
      known.delete(laneId);
      if (gone) dropUnasked(gone.lane.workspaceId, gone.config.repository.asked?.sha256);
    },
  };
}

const NOTHING: Reading = { kind: "good", commit: "", text: null, config: NO_REPOSITORY_CONFIG };

function isSameFailure(before: Reading, now: Reading): boolean {
  return before.kind === "broken" && now.kind === "broken" && before.error.message === now.error.message;
}

/** The same reading as before where it was this one: what is built of it stays. */
function ownBase(before: Reading | undefined, lane: Lane, base: string | null): Reading {
  const message = `lane ${lane.name}: its base ${base} is its own to move, so ${REPOSITORY_FILE} is not read from it`;
  if (before?.kind === "broken" && before.error.message === message) return before;
  const hint = `choose another base: lane set ${lane.name} base=<branch>`;
  return { kind: "broken", error: toAppError(new AppError({ code: "config.invalid", message, hint })) };
}
