import type { Dispatcher } from "../dispatch/index.ts";
import type { LaneView } from "../hostapi/index.ts";
import { resourceNames } from "../lane/index.ts";
import type { ApiLane } from "../protocol/index.ts";
import type { Store } from "../store/index.ts";
import type { LaneView as SupervisedView } from "../supervisor/index.ts";
import type { CredentialDesk } from "./credential-desk.ts";

/** What a view of a lane is put together from. */
export interface ViewSources {
  readonly install: string;
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly credentials: CredentialDesk;
}

/** A lane as the API shows it: the supervisor's view, its work, and (where it was looked at) its git. */
export function toView(sources: ViewSources, seen: SupervisedView, git: ApiLane["git"]): LaneView {
  const { lane, state, container, drift } = seen;
  const [active] = sources.store.jobs.listActive(lane.id);
  return {
    lane,
    state,
    container,
    drift,
    containerName: resourceNames(sources.install, lane.id).container,
    job: active?.id ?? null,
    queued: sources.dispatcher.queued(lane.id),
    git,
    credentials: sources.credentials.show(seen.credentials),
  };
}
