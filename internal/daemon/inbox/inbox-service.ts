import type { InboxService } from "../../hostapi/index.ts";
import type { Core } from "../core.ts";

/** The inbox as the host API needs it: with the job that a lane's call is made by. */
export function createInboxService({ inbox, store }: Pick<Core, "inbox" | "store">): InboxService {
  return {
    ...inbox,
    jobOf: (laneId) => {
      const [job] = store.jobs.listActive(laneId);
      return job ? { id: job.id, attempt: job.state.attempt } : null;
    },
  };
}
