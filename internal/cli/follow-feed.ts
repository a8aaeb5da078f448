import { type Clock, hasCode } from "../base/index.ts";
import type { Api, FeedMessage } from "./api.ts";
import { type FollowHooks, trackLink } from "./follow-job.ts";

/** A pause before the stream is opened again after the daemon has ended it. */
const AGAIN_MS = 200;

/**
 * The installation's feed from `after` on (from now when left out), each entry once, also over a restart of the
 * daemon. Ends only by an error: cancelled, or daemon.unreachable when it stays away.
 */
export async function* followFeed(
  api: Api,
  opts: { readonly after: number | undefined; readonly signal: AbortSignal; readonly clock: Clock } & FollowHooks,
): AsyncGenerator<FeedMessage, never> {
  const { signal, clock } = opts;
  let last = opts.after;
  const link = trackLink(opts);
  for (;;) {
    try {
      for await (const message of api.followFeed({ after: last, signal })) {
        link.isBack();
        const seq = message.kind === "gap" ? message.to : message.entry.seq;
        if (message.kind === "entry" && seq <= (last ?? -1)) continue;
        // A feed that began anew goes back: its gap says where to.
        last = seq;
        yield message;
      }
      await clock.sleep(AGAIN_MS, { signal });
    } catch (caught) {
      if (!hasCode(caught, "daemon.unreachable", "daemon.stopping")) throw caught;
      await clock.sleep(link.isAway(caught), { signal });
    }
  }
}
