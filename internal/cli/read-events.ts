import type { ApiJobEvent } from "../protocol/index.ts";
import type { Api } from "./api.ts";

/** Events per call: a page of output chunks stays within a few MiB. */
const PAGE = 500;

/** What a job's log holds now, page by page. */
export async function* readEvents(api: Api, id: string, after: number): AsyncGenerator<ApiJobEvent, void> {
  for (let last = after; ; ) {
    const page = await api.listJobEvents(id, { after: last, limit: PAGE });
    yield* page;
    const end = page.at(-1);
    if (end === undefined || page.length < PAGE) return;
    last = end.seq;
  }
}
