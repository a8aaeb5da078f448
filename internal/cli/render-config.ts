import type { ApiLaneConfig, ApiRepository } from "../protocol/index.ts";
import type { RenderOptions } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";
import { toPlain } from "./text.ts";

type Asked = NonNullable<ApiRepository["asked"]>;

type Setting = ApiLaneConfig["values"][number];

/** `lane config show`. */
export function renderSettings(
  values: readonly Setting[],
  opts: RenderOptions & { readonly origin: boolean },
): readonly string[] {
  const origin = { header: "from", value: (row: Setting) => row.origin };
  return renderTable<Setting>(
    [
      { header: "key", value: ({ key }) => key },
      { header: "value", value: ({ value }) => renderValue(value), shrink: true },
      ...(opts.origin ? [origin] : []),
    ],
    values,
    opts.width,
  );
}

/** `lane config repository`. */
export function renderRepository(file: ApiRepository, workspace: string): readonly string[] {
  const { base, commit, found, error, config, asked } = file;
  const head = renderFacts([
    ["workspace", workspace],
    ["base", base ?? "the main work tree's commit"],
    ["commit", commit?.slice(0, 12) ?? null],
    ["file", found ? ".lanekeeper.yaml" : "none"],
    ["broken", error === null ? null : toPlain(error.message)],
    ["next", error?.hint === undefined ? null : toPlain(error.hint)],
  ]);
  const said = Object.entries(config).map(([key, value]) => `  ${key}: ${toPlain(renderValue(value))}`);
  return [
    ...head,
    ...(said.length === 0 ? [] : ["", "it says:", ...said]),
    ...(asked === null ? [] : ["", ...renderAsked(asked, workspace)]),
  ];
}

/** What a repository asks for beyond what was configured, and how to say yes. */
function renderAsked({ word, fields, sha256 }: Asked, workspace: string): readonly string[] {
  const head = {
    pending: "it asks for, and has no effect until somebody approves",
    approved: "it asks for, and somebody has approved",
    denied: "it asks for, and somebody has denied",
  }[word];
  const lines = fields.map(
    ({ field, was, is }) => `  ${toPlain(field)}: ${was === null ? "(nothing)" : toPlain(was)} -> ${toPlain(is)}`,
  );
  const next = word === "approved" ? [] : [`next: lane config approve ${workspace} --pin ${sha256.slice(0, 12)}`];
  return [`${head} (${sha256.slice(0, 12)}):`, ...lines, ...next];
}

/** A value in one line. */
export function renderValue(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (Array.isArray(value) && value.length === 0) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}
