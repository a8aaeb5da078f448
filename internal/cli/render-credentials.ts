import type { ApiCredential } from "../protocol/index.ts";
import type { RenderOptions } from "./style.ts";
import { renderTable } from "./table.ts";
import { renderAge, toPlain, wrap } from "./text.ts";

/** `lane credentials status`: a line per agent, then what is wrong and what to do about it. */
export function renderCredentials(credentials: readonly ApiCredential[], opts: RenderOptions): readonly string[] {
  const { style, nowMs, width } = opts;
  const paint = (cell: string, { state }: ApiCredential) =>
    state === "usable" ? style.green(cell) : state === "refused" ? style.red(cell) : style.yellow(cell);
  const table = renderTable<ApiCredential>(
    [
      { header: "agent", value: ({ agent }) => agent },
      { header: "login", value: ({ state }) => state, paint },
      { header: "from", value: ({ source }) => source ?? "", shrink: true },
      { header: "token ends", value: ({ expiresAt }) => renderAge(expiresAt, nowMs) },
      { header: "account", value: ({ account }) => account ?? "" },
      { header: "lanes", value: ({ lanes }) => String(lanes.length) },
    ],
    credentials,
    width,
  );
  const remarks = credentials.flatMap(({ agent, reason, warning }) => [
    ...(reason ? [`${agent}: ${reason.message}`, ...(reason.hint ? [`next: ${reason.hint}`] : [])] : []),
    ...(warning === null ? [] : [`${agent}: ${warning}`]),
  ]);
  if (remarks.length === 0) return table;
  return [...table, "", ...remarks.flatMap((remark) => renderRemark(toPlain(remark), width))];
}

/** A sentence over as many lines as it takes, the later ones indented. */
function renderRemark(text: string, width: number | undefined): readonly string[] {
  if (width === undefined) return [text];
  return wrap(text, Math.max(20, width - 2)).map((line, at) => (at === 0 ? line : `  ${line}`));
}
