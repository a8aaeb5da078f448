import { useEffect, useState } from "preact/hooks";
import type { App } from "../app.ts";
import { isLookedAt, onLookChange } from "../parts/hooks.ts";
import { wantsNotifications } from "../parts/wishes.tsx";
import { takeDuty, watchAttention } from "./attention.ts";
import { followNews, type News } from "./follow-news.ts";
import { announcement, showNotice, toNotices } from "./tell.ts";

/**
 * Tells of items that come while the page is open: to screen readers by the text that it returns, by a sound, and on the
 * desktop. Of all tabs of a browser one notifies, and only while a person looks at none of them.
 */
export function useNews(app: App): string {
  const [news, setNews] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    const { locks } = navigator;
    const attention = watchAttention(locks, { isLookedAt, onChange: onLookChange }, stop.signal);
    const duty = takeDuty(locks, "lanekeeper-notify", stop.signal);
    const notify = async (fresh: News) => {
      if (!wantsNotifications() || !duty.isMine() || (await attention.isSomewhere())) return;
      for (const notice of toNotices(fresh)) showNotice(notice, app.router.go);
    };
    const end = followNews(app.store, (fresh) => {
      setNews(announcement(fresh));
      app.chime.play();
      void notify(fresh);
    });
    return () => {
      end();
      stop.abort();
    };
  }, [app]);
  return news;
}
