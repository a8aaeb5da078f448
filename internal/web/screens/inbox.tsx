import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { App } from "../app.ts";
import { filterOf, type InboxFilter, type InboxList, type InboxRow, shownRows } from "../data/inbox-list.ts";
import { useKeys, useMedia } from "../parts/hooks.ts";
import { ItemDetail } from "../parts/item-detail.tsx";
import { ItemRow, KINDS, kindWord } from "../parts/item-row.tsx";
import { focusRow, WindowList } from "../parts/window-list.tsx";
import { Wishes } from "../parts/wishes.tsx";
import { toPath } from "../router.ts";
import type { ScreenProps } from "./screen.ts";

/** Height of a row in CSS pixels; the style sheet knows it too. */
const ROW_PX = 66;
const TABS = [
  ["open", "Open"],
  ["snoozed", "Snoozed"],
  ["done", "Done"],
] as const;

/** Home: everything that waits for a person. List and detail side by side, or one after the other where it is narrow. */
export function Inbox({ app, place }: ScreenProps): VNode {
  const isWide = useMedia("(min-width: 900px)");
  const filter = filterOf(place.query);
  const opened = place.query.get("item");
  const list = app.store.inbox.value;
  const rows = shownRows(list);
  const kindField = useRef<HTMLSelectElement>(null);
  const searchField = useRef<HTMLInputElement>(null);
  useEffect(() => app.store.showInbox(filter), [filter.state, filter.kind, filter.lane, filter.q]);

  const first = rows[0]?.id;
  const chosen = opened ?? (isWide ? (first ?? null) : null);
  const at = rows.findIndex((row) => row.id === chosen);
  const go = (item: string | null, next: InboxFilter = filter, push = false) =>
    app.router.go(toInbox(next, item), { replace: !push });
  const move = (by: 1 | -1) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    if (!row) return false;
    if (isWide || opened !== null) go(row.id);
    focusRow(row.id);
    return true;
  };
  // Where both are shown something is open, and stays so when it leaves the list: somebody else may have answered it.
  useEffect(() => {
    if (isWide && opened === null && first !== undefined) go(first);
  }, [isWide, opened, first]);
  const focused = () => rows.find((row) => `row-${row.id}` === document.activeElement?.id);
  useKeys(app, {
    next: () => (isWide || opened !== null ? move(1) : step(rows, 1)),
    previous: () => (isWide || opened !== null ? move(-1) : step(rows, -1)),
    open: () => {
      const row = focused() ?? rows[Math.max(0, at)];
      return row ? go(row.id, filter, !isWide) : false;
    },
    back: () => {
      if (opened !== null && !isWide) go(null);
      if (chosen !== null) focusRow(chosen);
    },
    undo: () => app.inbox.undo(),
    filter: () => kindField.current?.focus(),
    search: () => searchField.current?.focus(),
  });
  /** The item that is shown goes: what follows it takes its place, and the focus. */
  const leave = () => {
    const next = rows[at + 1] ?? rows[at - 1];
    go(isWide ? (next?.id ?? null) : null);
    if (next) focusRow(next.id);
  };

  return (
    <div class={`inbox ${opened !== null && !isWide ? "shows-detail" : ""}`}>
      <section class="inbox-list" aria-label="Items">
        <div class="bar">
          <h1>Inbox</h1>
          <Wishes app={app} />
        </div>
        <nav class="tabs" aria-label="State">
          {TABS.map(([state, label]) => (
            <a
              key={state}
              href={toInbox({ ...filter, state }, null)}
              aria-current={filter.state === state ? "page" : undefined}
            >
              {label}
              {state === "open" && list.open > 0 ? <span class="count">{list.open}</span> : null}
            </a>
          ))}
        </nav>
        <Filters app={app} filter={filter} field={kindField} search={searchField} onChange={(next) => go(null, next)} />
        <ListState app={app} list={list} rows={rows} />
        <WindowList
          label={`Items, ${filter.state}`}
          rows={rows}
          rowPx={ROW_PX}
          chosen={chosen}
          isPartial={list.next !== null}
          onChoose={(row) => go(row.id, filter, !isWide)}
          onEnd={() => void app.store.moreInbox()}
          render={(row) => <ItemRow app={app} row={row} />}
        />
      </section>
      <section class="inbox-detail" aria-label="Detail">
        {chosen === null ? (
          <p class="quiet pad">Nothing is chosen.</p>
        ) : (
          <ItemDetail
            key={chosen}
            app={app}
            id={chosen}
            row={list.rows.find((row) => row.id === chosen)}
            onGone={leave}
            onBack={() => {
              go(null);
              focusRow(chosen);
            }}
          />
        )}
      </section>
    </div>
  );
}

/** Why the list is empty, when it is. */
function ListState(props: {
  readonly app: App;
  readonly list: InboxList;
  readonly rows: readonly InboxRow[];
}): VNode | null {
  const { list, rows, app } = props;
  const failure = app.store.failure.value;
  if (failure !== null && app.store.connection.value.kind === "live") {
    return (
      <p class="notice bad" role="alert">
        {failure}{" "}
        <button type="button" class="button" onClick={() => app.store.refreshInbox()}>
          Try again
        </button>
      </p>
    );
  }
  if (!list.fetched) return <p class="quiet pad">Loading…</p>;
  if (rows.length > 0) return null;
  const isFiltered = list.filter.kind !== null || list.filter.lane !== null || list.filter.q !== null;
  const texts = { open: "Nothing needs you.", snoozed: "Nothing is snoozed.", done: "Nothing has been done yet." };
  return (
    <div class="empty">
      <p class="empty-title">{isFiltered ? "Nothing is like that." : texts[list.filter.state]}</p>
      {list.filter.state === "open" && !isFiltered ? (
        <p class="quiet">Questions, failures and finished work of your lanes appear here by themselves.</p>
      ) : null}
    </div>
  );
}

function Filters(props: {
  readonly app: App;
  readonly filter: InboxFilter;
  readonly field: { current: HTMLSelectElement | null };
  readonly search: { current: HTMLInputElement | null };
  readonly onChange: (filter: InboxFilter) => void;
}): VNode {
  const { filter, onChange } = props;
  const lanes = [...(props.app.store.lanes.value?.values() ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <div class="filters">
      <input
        ref={props.search}
        class="input"
        type="search"
        aria-label="Search items"
        placeholder="Search"
        maxLength={200}
        value={filter.q ?? ""}
        onInput={(event) => onChange({ ...filter, q: event.currentTarget.value || null })}
      />
      <select
        ref={props.field}
        class="input"
        aria-label="Kind"
        value={filter.kind ?? ""}
        onChange={(event) => onChange({ ...filter, kind: event.currentTarget.value || null })}
      >
        <option value="">All kinds</option>
        {KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {kindWord(kind)}
          </option>
        ))}
      </select>
      <select
        class="input"
        aria-label="Lane"
        value={filter.lane ?? ""}
        onChange={(event) => onChange({ ...filter, lane: event.currentTarget.value || null })}
      >
        <option value="">All lanes</option>
        {lanes.map((lane) => (
          <option key={lane.id} value={lane.id}>
            {lane.name}
          </option>
        ))}
      </select>
    </div>
  );
}

function toInbox(filter: InboxFilter, item: string | null): string {
  const state = filter.state === "open" ? null : filter.state;
  return toPath("inbox", {}, { state, kind: filter.kind, lane: filter.lane, q: filter.q, item });
}

/** Moves the focus from row to row without opening any. */
function step(rows: readonly InboxRow[], by: 1 | -1): boolean {
  const now = rows.findIndex((row) => `row-${row.id}` === document.activeElement?.id);
  const row = rows[now < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, now + by))];
  if (!row) return false;
  document.getElementById(`row-${row.id}`)?.focus();
  return true;
}
