import { SPEC_PARTS, type SpecPart } from "./lane-spec.ts";

/** All labels stand below this prefix. */
export const LABEL_PREFIX = "io.lanekeeper.";

/** Version of the label set itself. */
export const LABEL_SCHEMA = "1";

const KEY = {
  install: `${LABEL_PREFIX}install`,
  workspace: `${LABEL_PREFIX}workspace`,
  lane: `${LABEL_PREFIX}lane`,
  generation: `${LABEL_PREFIX}generation`,
  schema: `${LABEL_PREFIX}schema`,
  fingerprint: `${LABEL_PREFIX}fingerprint`,
} as const;

const partKey = (part: SpecPart): string => `${LABEL_PREFIX}fp.${part}`;

/** The label that says whose a container, network or volume is. */
export const INSTALL_LABEL = KEY.install;

/** A container's labels as typed fields. */
export interface LaneLabels {
  readonly install: string;
  readonly workspace: string;
  readonly lane: string;
  readonly generation: number;
  readonly fingerprint: string;
  readonly parts: Readonly<Record<SpecPart, string>>;
}

/** The labels of a lane's container. */
export function toLabels(labels: LaneLabels): Record<string, string> {
  const out: Record<string, string> = {
    [KEY.install]: labels.install,
    [KEY.workspace]: labels.workspace,
    [KEY.lane]: labels.lane,
    [KEY.generation]: String(labels.generation),
    [KEY.schema]: LABEL_SCHEMA,
    [KEY.fingerprint]: labels.fingerprint,
  };
  for (const part of SPEC_PARTS) out[partKey(part)] = labels.parts[part];
  return out;
}

/** The labels of a lane's network and volume: whose they are, nothing that changes. */
export function toResourceLabels(owner: { readonly install: string; readonly lane: string }): Record<string, string> {
  return { [KEY.install]: owner.install, [KEY.lane]: owner.lane, [KEY.schema]: LABEL_SCHEMA };
}

/** Whose a network or volume is; `null` when it carries no labels of ours. */
export function parseOwner(
  labels: Readonly<Record<string, string>>,
): { readonly install: string; readonly lane: string } | null {
  const install = labels[KEY.install];
  const lane = labels[KEY.lane];
  return install && lane ? { install, lane } : null;
}

/** Typed labels, or `null` when any is missing or malformed: such a container is not one of ours to adopt. */
export function parseLabels(labels: Readonly<Record<string, string>>): LaneLabels | null {
  const generation = Number(labels[KEY.generation]);
  const owner = parseOwner(labels);
  const fingerprint = labels[KEY.fingerprint];
  if (!owner || !fingerprint || labels[KEY.schema] !== LABEL_SCHEMA) return null;
  if (!Number.isSafeInteger(generation) || generation < 1) return null;
  const parts: Partial<Record<SpecPart, string>> = {};
  for (const part of SPEC_PARTS) {
    const digest = labels[partKey(part)];
    if (!digest) return null;
    parts[part] = digest;
  }
  return {
    ...owner,
    workspace: labels[KEY.workspace] ?? "",
    generation,
    fingerprint,
    parts: parts as Record<SpecPart, string>,
  };
}
