import type { Dispatcher } from "../../dispatch/index.ts";
import type { LaneView } from "../../hostapi/index.ts";
import { resourceNames } from "../../lane/index.ts";
import type { ApiLane } from "../../protocol/index.ts";
import type { Store } from "../../store/index.ts";
import type { LaneView as SupervisedView } from "../../supervisor/index.ts";
import type { CredentialDesk } from "../credentials/credential-desk.ts";
import type { LaneSetup } from "../settings/lane-setup.ts";
import type { LaneConfigDesk } from "../settings/workspace-settings.ts";
import type { PackagesDesk } from "./packages-desk.ts";

/** What a view of a lane is put together from. */
export interface ViewSources {
  readonly install: string;
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly credentials: CredentialDesk;
  readonly laneConfig: LaneConfigDesk;
  readonly setup: LaneSetup;
  readonly packages: Pick<PackagesDesk, "causeOf">;
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
    making: makingOf(sources, lane, container),
  };
}

/** What it is made with, and how its container was prepared. */
function makingOf(
  { laneConfig, setup, packages }: ViewSources,
  lane: SupervisedView["lane"],
  container: SupervisedView["container"],
): NonNullable<LaneView["making"]> {
  const { repository, lane: made } = laneConfig.current(lane);
  const prepared = setup.viewOf(lane);
  const wanted = new Set(made.settings.ports);
  const ports = (container?.ports ?? []).flatMap(({ containerPort, hostPort }) =>
    wanted.has(containerPort) && hostPort > 0 ? [{ container: containerPort, host: hostPort }] : [],
  );
  return {
    agent: made.settings.agent,
    ports,
    setup: { state: prepared.state, job: prepared.job },
    repository,
    cause: prepared.cause ?? packages.causeOf(lane.id) ?? repository.error,
  };
}
