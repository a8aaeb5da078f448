import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiLane, ApiLaneDiff } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { Counts, FileDiff, FileHead, fileId } from "../diff/file-diff.tsx";
import { MergeDialog } from "../diff/merge-dialog.tsx";
import { toVisible } from "../diff/parse-patch.ts";
import { formatCount } from "../format.ts";
import { useFetched, useKeys } from "../parts/hooks.ts";
import { toPath } from "../router.ts";
import { LanePage } from "./lane-page.tsx";
import type { ScreenProps } from "./screen.ts";

/** What a lane has changed: files, their diffs, and merging them. */
export function Changes(props: ScreenProps): VNode {
  const { app } = props;
  const [isMerging, setMerging] = useState(false);
  const [round, setRound] = useState(0);
  const again = () => setRound((count) => count + 1);
  return (
    <LanePage
      {...props}
      at="changes"
      title="Changes"
      isWide
      actions={(lane) => (
        <>
          <button type="button" class="button" onClick={again}>
            Look again
          </button>
          <button type="button" class="button" onClick={() => void copyPatch(app, lane)}>
            Copy patch
          </button>
          <button type="button" class="button primary" onClick={() => setMerging(true)}>
            Merge…
          </button>
        </>
      )}
    >
      {(lane) => (
        <>
          <Files key={lane.id} app={app} lane={lane} round={`${round} ${lane.job} ${JSON.stringify(lane.git)}`} />
          {isMerging ? (
            <MergeDialog app={app} laneId={lane.id} onClose={() => setMerging(false)} onMerged={again} />
          ) : null}
        </>
      )}
    </LanePage>
  );
}

function Files(props: { readonly app: App; readonly lane: ApiLane; readonly round: string }): VNode {
  const { app, lane, round } = props;
  const { value: diff, failure } = useFetched(lane.id, round, (id, signal) =>
    app.api.call<ApiLaneDiff>("GET", `/v1/lanes/${id}/diff?stat=1`, undefined, { signal }),
  );
  const files = diff?.files ?? [];
  const step = (by: 1 | -1) => (stepFile(files.length, by) ? undefined : false);
  useKeys(app, {
    "lane.next": () => step(1),
    "lane.previous": () => step(-1),
    back: () => app.router.go(toPath("lane", { id: lane.id })),
  });
  if (failure !== null && diff === null) {
    return (
      <p class="notice bad" role="alert">
        {failure}
      </p>
    );
  }
  if (diff === null) return <p class="quiet">Loading…</p>;
  if (files.length === 0) {
    return (
      <div class="empty">
        <p class="empty-title">Nothing has changed.</p>
        <p class="quiet">The lane is as {toVisible(diff.base.ref)} was when it began.</p>
      </div>
    );
  }
  return (
    <>
      <p class="meta">
        <span>{formatCount(files.length, "file")}</span>
        <Counts additions={diff.additions} deletions={diff.deletions} />
        <span class="quiet">
          against {toVisible(diff.base.ref)} at <code>{diff.base.commit.slice(0, 10)}</code>
        </span>
        {diff.truncated ? <span class="badge warn">not all files are listed</span> : null}
        <span class="quiet">
          <kbd>[</kbd> <kbd>]</kbd> previous and next file
        </span>
      </p>
      {diff.stale ? (
        <p class="notice warn">
          The lane cannot be asked for its newest commits; they are shown as not committed. {toVisible(diff.stale)}
        </p>
      ) : null}
      <div class="changes">
        <nav class="file-list" aria-label="Files">
          <ul>
            {files.map((file, at) => (
              <li key={file.path}>
                <a href={`#${fileId(at)}`} onClick={(event) => event.preventDefault() ?? showFile(at)}>
                  <FileHead file={file} />
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="file-diffs">
          {files.map((file, at) => (
            <FileDiff
              key={file.path}
              app={app}
              laneId={lane.id}
              file={file}
              at={at}
              fileCount={files.length}
              round={round}
            />
          ))}
        </div>
      </div>
    </>
  );
}

function showFile(at: number): void {
  const element = document.getElementById(fileId(at));
  element?.scrollIntoView({ block: "start" });
  element?.querySelector("summary")?.focus({ preventScroll: true });
}

/** From the file that has the focus, or the first one. */
function stepFile(count: number, by: 1 | -1): boolean {
  const focused = document.activeElement?.closest(".file-diff")?.id;
  const now = focused === undefined ? -1 : Number(focused.slice(fileId(0).length - 1));
  const next = now < 0 ? 0 : now + by;
  if (next < 0 || next >= count) return false;
  showFile(next);
  return true;
}

async function copyPatch(app: App, lane: ApiLane): Promise<void> {
  try {
    const { patch, truncated } = await app.api.call<ApiLaneDiff>("GET", `/v1/lanes/${lane.id}/diff`);
    await navigator.clipboard.writeText(patch ?? "");
    app.say(truncated ? "Copied, but cut: it is longer than the daemon gives." : "The patch is copied.");
  } catch (error) {
    app.say(`Not copied: ${describeError(error)}`);
  }
}
