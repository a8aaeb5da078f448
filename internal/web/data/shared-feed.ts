import type { ApiFeedEntry } from "../../protocol/index.ts";
import type { Api } from "../api.ts";
import { type FeedListener, followFeed } from "./follow-feed.ts";

/**
 * What tabs say to each other. The one that follows the feed: `open`, `gap`, `lost`, `entry`. A new one: `where`, how do
 * things stand; the answer, when they stand well, is `here`.
 */
type Told =
  | { readonly kind: "open" | "gap" | "lost" | "where" | "here" }
  | { readonly kind: "entry"; readonly entry: ApiFeedEntry };

const NAME = "lanekeeper-feed";

/**
 * Follows the feed once for all tabs of the page in this browser, until the signal aborts: browsers open only six
 * connections to one server, and each stream holds one. The tab that has the lock follows; when it goes, the next one
 * goes on after the last entry that it heard of.
 */
export async function shareFeed(api: Api, listener: FeedListener, signal: AbortSignal): Promise<void> {
  const channel = new BroadcastChannel(NAME);
  signal.addEventListener("abort", () => channel.close(), { once: true });
  const tell = (told: Told) => channel.postMessage(told);
  let last: string | null = null;
  let isOpen = false;
  let isLeader = false;

  const hear = (told: Told): void => {
    if (told.kind === "entry") {
      last = String(told.entry.seq);
      listener.onEntry(told.entry);
    } else if (told.kind === "open" || (told.kind === "here" && !isOpen)) {
      isOpen = true;
      listener.onOpen();
    } else if (told.kind === "lost") {
      isOpen = false;
      listener.onLost();
    } else if (told.kind === "gap") listener.onGap();
    else if (told.kind === "where" && isLeader && isOpen) tell({ kind: "here" });
  };
  const tellAll = (told: Told) => {
    tell(told);
    hear(told);
  };
  const leader: FeedListener = {
    onOpen: () => tellAll({ kind: "open" }),
    onEntry: (entry) => tellAll({ kind: "entry", entry }),
    onGap: () => tellAll({ kind: "gap" }),
    onLost: () => tellAll({ kind: "lost" }),
  };
  channel.onmessage = ({ data }: MessageEvent<Told>) => hear(data);
  tell({ kind: "where" });
  const lead = () => {
    isLeader = true;
    return followFeed(api, leader, { after: last, signal });
  };
  // Refused only when the page goes.
  await navigator.locks.request(NAME, { signal }, lead).catch(() => undefined);
}
