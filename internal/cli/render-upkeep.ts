import type { ApiLaneDisk, ApiPrunableLane, ApiRemovedLane } from "../protocol/index.ts";
import { renderBytes } from "./render-agents.ts";
import type { RenderOptions } from "./style.ts";
import { renderTable } from "./table.ts";
import { toPlain } from "./text.ts";

/** `lane rm`. */
export function renderRemoved(removed: ApiRemovedLane): readonly string[] {
  const { name, branch, lost, ignored, worktreeKept, branchDeleted } = removed;
  const kept = worktreeKept ? "; its worktree was there before and has stayed" : "";
  const beside = ignored === 0 ? "" : `; ${ignored} ignored ${ignored === 1 ? "path" : "paths"} went with it`;
  return [
    `lane ${name} is removed, branch ${branch} is ${branchDeleted ? "deleted" : "kept"}${kept}${beside}`,
    ...lost.map((what) => `lost: ${toPlain(what)}`),
  ];
}

/** `lane prune`: what could go, and what stays and why. */
export function renderPrunable(lanes: readonly ApiPrunableLane[], opts: RenderOptions): readonly string[] {
  return renderTable<ApiPrunableLane>(
    [
      { header: "lane", value: ({ name }) => name, shrink: true, paint: opts.style.bold },
      { header: "workspace", value: ({ workspace }) => workspace, shrink: true },
      { header: "branch", value: ({ branch }) => branch, shrink: true },
      { header: "merged into", value: ({ base, merged }) => `${base}${merged === "content" ? " (by content)" : ""}` },
      { header: "stays because", value: ({ blocked }) => (blocked === null ? "-" : blocked), shrink: true },
    ],
    lanes,
    opts.width,
  );
}

/** One line: `12 MB in all: worktree 10 MB, volume 2 MB, container 0 B`. */
export function renderDisk(disk: ApiLaneDisk): string {
  const parts = [
    ["worktree", disk.worktreeBytes],
    ["volume", disk.volumeBytes],
    ["container", disk.containerBytes],
  ] as const;
  const all = parts.reduce((sum, [, bytes]) => sum + (bytes ?? 0), 0);
  const words = parts.map(([what, bytes]) => `${what} ${bytes === null ? "not known" : renderBytes(bytes)}`);
  return `${disk.partial ? "at least " : ""}${renderBytes(all)} in all: ${words.join(", ")}`;
}

/** `lane ls --disk`. */
export function renderDisks(disks: readonly ApiLaneDisk[], nameOf: (lane: string) => string, opts: RenderOptions) {
  const size = (bytes: number | null) => (bytes === null ? "-" : renderBytes(bytes));
  const sum = (disk: ApiLaneDisk) => [disk.worktreeBytes, disk.volumeBytes, disk.containerBytes].reduce(addUp, 0);
  const total = { worktreeBytes: 0, volumeBytes: 0, containerBytes: 0 };
  for (const disk of disks) {
    total.worktreeBytes += disk.worktreeBytes ?? 0;
    total.volumeBytes += disk.volumeBytes ?? 0;
    total.containerBytes += disk.containerBytes ?? 0;
  }
  const isPartial = disks.some(({ partial }) => partial);
  const last = { lane: "", ...total, partial: isPartial };
  return renderTable<ApiLaneDisk>(
    [
      { header: "lane", value: ({ lane }) => (lane === "" ? "all" : nameOf(lane)), shrink: true },
      { header: "worktree", value: ({ worktreeBytes }) => size(worktreeBytes) },
      { header: "volume", value: ({ volumeBytes }) => size(volumeBytes) },
      { header: "container", value: ({ containerBytes }) => size(containerBytes) },
      { header: "in all", value: (disk) => `${disk.partial ? ">= " : ""}${renderBytes(sum(disk) ?? 0)}` },
    ],
    [...disks, last],
    opts.width,
  );
}

function addUp(sum: number | null, bytes: number | null): number {
  return (sum ?? 0) + (bytes ?? 0);
}
