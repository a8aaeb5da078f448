import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ApiDiffFile, ApiLaneDiff } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import { useFetched } from "../parts/hooks.ts";
import { DiffTable } from "./diff-table.tsx";
import { parsePatch, toVisible } from "./parse-patch.ts";

/** Files with more changed lines are folded at first. */
const FOLDED_FROM_LINES = 400;
/** With more files than this all are. */
const FOLDED_FROM_FILES = 60;
/** A diff is fetched when it is so near, CSS pixels. */
const NEAR = "600px";

/** One changed file: its head, and its diff once it is unfolded and near. */
export function FileDiff(props: {
  readonly app: App;
  readonly laneId: string;
  readonly file: ApiDiffFile;
  readonly at: number;
  readonly fileCount: number;
  /** Changes when the lane's work may have changed. */
  readonly round: unknown;
}): VNode {
  const { app, laneId, file, round } = props;
  const lines = (file.additions ?? 0) + (file.deletions ?? 0);
  const [isOpen, setOpen] = useState(
    !file.binary && lines <= FOLDED_FROM_LINES && props.fileCount <= FOLDED_FROM_FILES,
  );
  const element = useRef<HTMLDetailsElement>(null);
  const isNear = useNear(element);
  const wanted = isOpen && isNear && !file.binary ? file.path : null;
  const { value, failure } = useFetched(wanted, round, (path, signal) =>
    app.api.call<ApiLaneDiff>("GET", `/v1/lanes/${laneId}/diff?path=${encodeURIComponent(path)}`, undefined, {
      signal,
    }),
  );
  const rows = useMemo(() => parsePatch(value?.patch ?? ""), [value]);
  return (
    <details
      ref={element}
      class="fold file-diff"
      id={fileId(props.at)}
      open={isOpen}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <FileHead file={file} />
      </summary>
      {file.flags.map((flag) => (
        <p key={flag.code} class="notice warn">
          {toVisible(flag.message)}
        </p>
      ))}
      {failure === null ? null : (
        <p class="notice bad" role="alert">
          {failure}
        </p>
      )}
      {file.binary ? <p class="quiet pad">A binary file.</p> : null}
      {wanted !== null && value === null && failure === null ? <p class="quiet pad">Loading…</p> : null}
      {value !== null && rows.length === 0 ? <p class="quiet pad">No line differs.</p> : null}
      {rows.length > 0 ? <DiffTable path={file.path} rows={rows} /> : null}
      {value?.truncated ? <p class="quiet pad">The diff was cut: it is longer than the daemon gives.</p> : null}
    </details>
  );
}

/** Id of a file's element, by its place in the list. */
export function fileId(at: number): string {
  return `file-${at}`;
}

/** Path, kind of change, counts, and what there is to look out for. */
export function FileHead({ file }: { readonly file: ApiDiffFile }): VNode {
  return (
    <span class="file-head">
      <span class="file-path">
        {file.oldPath === null ? null : <span class="quiet">{toVisible(file.oldPath)} → </span>}
        {toVisible(file.path)}
      </span>
      {file.status === "modified" ? null : <span class="quiet">{file.status}</span>}
      <Counts additions={file.additions} deletions={file.deletions} />
      {file.uncommitted ? <span class="badge">not committed</span> : null}
      {file.flags.length > 0 ? <span class="badge warn">runs on your host</span> : null}
    </span>
  );
}

/** `+3 −1`, and in words for screen readers; nothing for a binary file. */
export function Counts(props: { readonly additions: number | null; readonly deletions: number | null }): VNode | null {
  if (props.additions === null || props.deletions === null) return null;
  return (
    <span class="counts">
      <span class="tone-good" aria-hidden="true">
        +{props.additions}
      </span>{" "}
      <span class="tone-bad" aria-hidden="true">
        −{props.deletions}
      </span>
      <span class="unseen">
        {props.additions} lines added, {props.deletions} removed
      </span>
    </span>
  );
}

/** Has it ever come near to what is seen? */
function useNear(element: { readonly current: Element | null }): boolean {
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    if (isNear || !element.current) return;
    const observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && setNear(true), {
      rootMargin: NEAR,
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [isNear]);
  return isNear;
}
