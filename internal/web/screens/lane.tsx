import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ApiJob, ApiLane } from "../../protocol/index.ts";
import { ApiError, describeError } from "../api.ts";
import { EMPTY_DRAFT, withJob } from "../data/draft.ts";
import { Confirm } from "../parts/dialog.tsx";
import { useKept, useKeys } from "../parts/hooks.ts";
import { hasEnded, type JobAct, JobCard } from "../parts/job-card.tsx";
import { LaneHead } from "../parts/lane-head.tsx";
import { useNeighbours } from "../parts/neighbours.ts";
import { PromptBox } from "../parts/prompt-box.tsx";
import { useJobs } from "../parts/use-jobs.ts";
import { toPath } from "../router.ts";
import type { ScreenProps } from "./screen.ts";

/** Nearer to the end than this, CSS pixels, the page follows what is added. */
const FOLLOW_PX = 120;

/** A lane: its jobs in order, what runs now, and where new work is written. */
export function LaneScreen(props: ScreenProps): VNode {
  const { app, place } = props;
  const lanes = app.store.lanes.value;
  const name = place.params.id ?? "";
  const lane = lanes?.get(name) ?? [...(lanes?.values() ?? [])].find((one) => one.name === name);
  /** As it was last, so that a lane that goes while it is looked at can still be named. */
  const [known, setKnown] = useState<ApiLane | null>(null);
  useEffect(() => {
    if (lane) setKnown(lane);
  }, [lane]);
  if (lanes === null) return <p class="quiet pad">Loading…</p>;
  if (!lane) {
    return (
      <div class="empty">
        <h1 class="empty-title">{known === null ? "There is no such lane." : `Lane ${known.name} was removed.`}</h1>
        <p>
          <a href={toPath("lanes")}>All lanes</a>
        </p>
      </div>
    );
  }
  return <Known key={lane.id} {...props} lane={lane} />;
}

function Known({ app, lane }: ScreenProps & { readonly lane: ApiLane }): VNode {
  const { jobs, hasOlder, failure, showOlder, put } = useJobs(app, lane.id);
  const [isStopping, setStopping] = useState(false);
  const field = useRef<HTMLTextAreaElement | null>(null);
  const running = jobs?.find((job) => !hasEnded(job) && job.state !== "queued");
  const queued = jobs?.findLast((job) => job.state === "queued");
  const [draft, setDraft] = useKept(app.drafts, lane.id, EMPTY_DRAFT);
  const newest = jobs?.findLast((job) => job.startedAt !== null);
  const end = useRef<HTMLDivElement>(null);
  useFollowEnd(end);

  const act = async (job: ApiJob, what: JobAct): Promise<boolean> => {
    try {
      put(await app.api.call<ApiJob>("POST", `/v1/jobs/${job.id}/${what}`, undefined, { key: crypto.randomUUID() }));
      return true;
    } catch (error) {
      const hasStarted = error instanceof ApiError && error.code === "job.started";
      app.say(hasStarted ? "Too late: it has just begun, and goes on." : describeError(error));
      return false;
    }
  };
  /** A queued job back into the box, if it still waits. Its text is in the box or in its job, at every moment. */
  const pull = async (job: ApiJob) => {
    if (withJob(draft, job) === null)
      return app.say("The box cannot hold that job as well: empty it, or press “Take back” at the job.");
    if (!(await act(job, "withdraw"))) return;
    setDraft((before) => withJob(before, job) ?? before);
    field.current?.focus();
  };
  useKeys(app, {
    new: () => field.current?.focus(),
    reply: () => field.current?.focus(),
    pull: () => (queued ? void pull(queued) : false),
    stop: () => (running ? setStopping(true) : false),
    back: () => app.router.go(toPath("lanes")),
  });
  useNeighbours(app, lane, "lane");

  return (
    <div class="page-body lane-screen">
      <LaneHead app={app} lane={lane} onStopJob={running ? () => setStopping(true) : null} />
      {failure === null ? null : (
        <p class="notice bad" role="alert">
          {failure}
        </p>
      )}
      {hasOlder ? (
        <p>
          <button type="button" class="button" onClick={showOlder}>
            Show older work
          </button>
        </p>
      ) : null}
      {jobs === null ? <p class="quiet">Loading…</p> : null}
      {jobs?.length === 0 ? (
        <div class="empty">
          <p class="empty-title">Nothing has been done here yet.</p>
          <p class="quiet">Write what should be done below.</p>
        </div>
      ) : null}
      <div class="jobs">
        {jobs?.map((job) => (
          <JobCard
            key={job.id}
            app={app}
            job={job}
            isNewest={job.id === newest?.id}
            onAct={(one, what) => void (what === "withdraw" && withJob(draft, one) ? pull(one) : act(one, what))}
          />
        ))}
      </div>
      <div ref={end} />
      <PromptBox
        app={app}
        lane={lane}
        draft={draft}
        onDraft={setDraft}
        canPull={queued !== undefined}
        field={field}
        hasSession={jobs?.some((job) => job.session !== null) ?? false}
        isBusy={running !== undefined}
        onSent={put}
      />
      {isStopping && running ? (
        <Confirm
          title="Stop the job?"
          text="Its processes are ended. What it has changed in the work tree stays."
          yes="Stop it"
          onYes={() => void act(running, "cancel")}
          onClose={() => setStopping(false)}
        />
      ) : null}
    </div>
  );
}

/** Keeps the end in sight while it grows, as long as a person has not scrolled away from it. */
function useFollowEnd(end: { readonly current: HTMLElement | null }): void {
  const follows = useRef(true);
  useEffect(() => {
    const box = document.scrollingElement;
    const look = () => {
      if (box) follows.current = box.scrollHeight - box.scrollTop - box.clientHeight < FOLLOW_PX;
    };
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  useLayoutEffect(() => {
    const screen = end.current?.parentElement;
    if (!screen) return;
    const observer = new ResizeObserver(() => {
      const box = document.scrollingElement;
      if (follows.current && box) box.scrollTop = box.scrollHeight;
    });
    observer.observe(screen);
    return () => observer.disconnect();
  }, []);
}
