import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiInboxPage } from "../../protocol/index.ts";
import { groupLanes } from "../data/lane-groups.ts";
import { AddLaneForm } from "../parts/add-lane.tsx";
import { useFetched, useKeys } from "../parts/hooks.ts";
import { LaneRow } from "../parts/lane-row.tsx";
import { toPath } from "../router.ts";
import type { ScreenProps } from "./screen.ts";

/** Open items looked at to say which lanes need a person. */
const WAITING_MAX = 500;

/** All lanes, those that need a person first. */
export function Lanes({ app, place }: ScreenProps): VNode {
  const lanes = app.store.lanes.value;
  const [isAdding, setAdding] = useState(false);
  const searchField = useRef<HTMLInputElement>(null);
  const text = place.query.get("q") ?? "";
  const { value: page } = useFetched("open", app.store.inbox.value.rows, (_, signal) =>
    app.api.call<ApiInboxPage>("GET", `/v1/inbox?state=open&limit=${WAITING_MAX}`, undefined, { signal }),
  );
  const waiting = countByLane(page);
  const found = [...(lanes?.values() ?? [])].filter((lane) => `${lane.name} ${lane.branch}`.includes(text));
  const groups = groupLanes(found, waiting);
  const order = groups.flatMap(([, members]) => members);
  const step = (by: 1 | -1) => {
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.lane : undefined;
    const now = order.findIndex((lane) => lane.id === focused);
    const next = order[now < 0 ? 0 : Math.max(0, Math.min(order.length - 1, now + by))];
    if (!next) return false;
    document.querySelector<HTMLElement>(`[data-lane="${CSS.escape(next.id)}"]`)?.focus();
    return true;
  };
  useKeys(app, {
    next: () => step(1),
    previous: () => step(-1),
    new: () => setAdding(true),
    search: () => searchField.current?.focus(),
    open: () => {
      const focused = document.activeElement;
      if (!(focused instanceof HTMLAnchorElement) || focused.dataset.lane === undefined) return false;
      focused.click();
      return true;
    },
  });
  useEffect(() => {
    if (place.query.has("new")) setAdding(true);
  }, []);
  return (
    <div class="page-body">
      <div class="bar">
        <h1>Lanes</h1>
        <button type="button" class="button primary" onClick={() => setAdding(true)}>
          New lane <kbd>n</kbd>
        </button>
      </div>
      {lanes !== null && lanes.size > 0 ? (
        <input
          ref={searchField}
          class="input search"
          type="search"
          aria-label="Search lanes"
          placeholder="Search by name or branch"
          value={text}
          onInput={(event) => app.router.go(toPath("lanes", {}, { q: event.currentTarget.value }), { replace: true })}
        />
      ) : null}
      {lanes === null ? <p class="quiet">Loading…</p> : null}
      {lanes?.size === 0 ? (
        <div class="empty">
          <p class="empty-title">No lanes yet.</p>
          <p class="quiet">A lane is a branch with its own work tree and container, for one line of work.</p>
        </div>
      ) : null}
      {lanes !== null && lanes.size > 0 && order.length === 0 ? <p class="quiet">No lane is called that.</p> : null}
      {groups.map(([group, members]) => (
        <section key={group} class="lane-group">
          <h2>
            {group} <span class="count">{members.length}</span>
          </h2>
          <ul class="lane-rows">
            {members.map((lane) => (
              <LaneRow key={lane.id} app={app} lane={lane} waiting={waiting.get(lane.id) ?? 0} />
            ))}
          </ul>
        </section>
      ))}
      {isAdding ? <AddLaneForm app={app} onClose={() => setAdding(false)} /> : null}
    </div>
  );
}

function countByLane(page: ApiInboxPage | null): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { lane } of page?.items ?? []) if (lane !== null) counts.set(lane, (counts.get(lane) ?? 0) + 1);
  return counts;
}
