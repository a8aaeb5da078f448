import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ApiJob } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { coalesce } from "../data/coalesce.ts";

/** Jobs fetched at once, and how many are kept on the page. */
const PAGE = 20;
const KEPT_MAX = 200;

/** A lane's jobs as the page has them. */
export interface LaneJobs {
  /** Oldest first; null until they are here. */
  readonly jobs: readonly ApiJob[] | null;
  /** There are older ones. */
  readonly hasOlder: boolean;
  readonly failure: string | null;
  showOlder(): void;
  /** Takes a job over that an act has changed or made. */
  put(job: ApiJob): void;
}

/** The jobs of lane `id`, fetched again whenever the feed tells of one of them. */
export function useJobs(app: App, id: string): LaneJobs {
  const [jobs, setJobs] = useState<ReadonlyMap<string, ApiJob> | null>(null);
  const [hasOlder, setHasOlder] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const oldest = useRef<string | null>(null);

  const take = useCallback((list: readonly ApiJob[]) => {
    setJobs((before) => keepNewest(new Map([...(before ?? []), ...list.map((job) => [job.id, job] as const)])));
  }, []);

  const fetchPage = async (before: string | null, signal: AbortSignal) => {
    const query = new URLSearchParams({ limit: String(PAGE), ...(before === null ? {} : { before }) });
    try {
      const list = await app.api.call<ApiJob[]>("GET", `/v1/lanes/${id}/jobs?${query}`, undefined, { signal });
      take(list);
      if (before !== null || oldest.current === null) {
        oldest.current = list.at(-1)?.id ?? oldest.current;
        setHasOlder(list.length === PAGE);
      }
      setFailure(null);
    } catch (error) {
      if (!signal.aborted) setFailure(describeError(error));
    }
  };

  useEffect(() => {
    const stop = new AbortController();
    oldest.current = null;
    setJobs(null);
    const refresh = coalesce(() => fetchPage(null, stop.signal), 60);
    refresh.wish();
    const end = app.store.onFeed((entry) => {
      if (entry === null || (entry.lane === id && entry.job !== null)) refresh.wish();
    });
    return () => {
      stop.abort();
      end();
    };
  }, [app, id]);

  return {
    jobs: jobs === null ? null : [...jobs.values()].sort(byAge),
    hasOlder: hasOlder && (jobs?.size ?? 0) < KEPT_MAX,
    failure,
    showOlder: () => void fetchPage(oldest.current, new AbortController().signal),
    put: (job) => take([job]),
  };
}

function keepNewest(jobs: ReadonlyMap<string, ApiJob>): ReadonlyMap<string, ApiJob> {
  if (jobs.size <= KEPT_MAX) return jobs;
  return new Map([...jobs].sort(([, a], [, b]) => byAge(a, b)).slice(-KEPT_MAX));
}

/** Ids sort by the time they were made. */
function byAge(a: ApiJob, b: ApiJob): number {
  return a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id);
}
