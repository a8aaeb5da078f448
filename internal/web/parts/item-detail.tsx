import type { VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ApiInboxItem } from "../../protocol/index.ts";
import type { App } from "../app.ts";
import { byWords, canReopen } from "../data/inbox-actions.ts";
import type { InboxRow } from "../data/inbox-list.ts";
import { formatAgo, formatSpan } from "../format.ts";
import { renderMarkdown } from "../markdown.ts";
import { toPath } from "../router.ts";
import { Answer } from "./answer.tsx";
import { useFetched, useKeys } from "./hooks.ts";
import { Kind } from "./item-row.tsx";
import { useReadMark } from "./read-mark.ts";
import { SnoozeMenu } from "./snooze.tsx";

/** One item: what it says, and everything that can be done with it. */
export function ItemDetail(props: {
  readonly app: App;
  readonly id: string;
  /** As the list has it, if it has it: a change of it has the item fetched again. */
  readonly row: InboxRow | undefined;
  /** Moves on to the next item, before this one goes. */
  readonly onGone: () => void;
  readonly onBack: () => void;
}): VNode {
  const { app, id, row } = props;
  const round = `${row?.changedAt} ${row?.state} ${row?.delivered} ${row?.read} ${app.store.connection.value.kind}`;
  const { value: item, failure } = useFetched(id, round, (key, signal) => app.store.fetchItem(key, signal));
  return (
    <article class="detail" aria-label="Item">
      <p class="detail-back">
        <button type="button" class="button plain" onClick={props.onBack}>
          ← Back to the list
        </button>
      </p>
      {failure === null || app.store.connection.value.kind !== "live" ? null : (
        <p class="notice bad" role="alert">
          {failure}
        </p>
      )}
      {item === null ? (
        failure === null ? (
          <p class="quiet">Loading…</p>
        ) : null
      ) : (
        <Known {...props} key={id} item={item} />
      )}
    </article>
  );
}

function Known(props: Parameters<typeof ItemDetail>[0] & { readonly item: ApiInboxItem }): VNode {
  const { app, item } = props;
  const field = useRef<HTMLTextAreaElement | null>(null);
  const [isDenying, setDenying] = useState(false);
  const [isSnoozing, setSnoozing] = useState(false);
  const { isNew, toggle: toggleRead } = useReadMark(app, item);
  const isWaiting = item.state === "open" || item.state === "snoozed";
  const canAnswer = isWaiting && (item.kind === "question" || item.choices.length > 0);
  const canOpenAgain = item.state === "snoozed" || (item.state === "done" && canReopen(item.kind));
  const [yes, no] = item.kind === "approval" ? item.choices : [];
  const answer = (text: string) => {
    props.onGone();
    app.inbox.answer(item, text);
  };
  const done = () => {
    props.onGone();
    app.inbox.done(item);
  };
  const deny = () => {
    setDenying(true);
    field.current?.focus();
  };
  // Before anything is drawn: the very next key belongs to the reason.
  useLayoutEffect(() => {
    if (isDenying) field.current?.focus();
  }, [isDenying]);
  const choices = isWaiting ? item.choices : [];
  const deeds = {
    choose: (key: string) => {
      const choice = choices[Number(key) - 1];
      return choice !== undefined ? answer(choice) : false;
    },
    reply: () => (canAnswer ? field.current?.focus() : false),
    approve: () => (isWaiting && yes !== undefined ? answer(yes) : false),
    deny: () => (isWaiting && no !== undefined ? deny() : false),
    done: () => (isWaiting ? done() : false),
    snooze: () => (isWaiting ? setSnoozing(true) : false),
    read: () => (isWaiting ? toggleRead() : false),
    undo: () => {
      if (app.inbox.undo()) return true;
      return canOpenAgain ? app.inbox.reopen(item) : false;
    },
  };
  useKeys(app, deeds, choices);
  return (
    <>
      <header class="detail-head">
        <p class="meta">
          <Kind kind={item.kind} />
          {item.urgency === "high" ? <span class="urgent">Urgent</span> : null}
          {item.lane === null ? null : <a href={toPath("lane", { id: item.lane })}>{item.laneName ?? item.lane}</a>}
          <time dateTime={item.createdAt}>{formatAgo(item.createdAt, app.nowMs.value)}</time>
        </p>
        <h2>{item.title}</h2>
        <Outcome app={app} item={item} />
      </header>
      {item.body === "" ? null : renderMarkdown(item.body)}
      <Facts item={item} />
      {canAnswer ? (
        <Answer app={app} item={item} onAnswer={answer} field={field} isDenying={isDenying} onDeny={deny} />
      ) : null}
      <p class="actions detail-actions">
        {isWaiting ? (
          <WaitingActs item={item} isNew={isNew} onDone={done} onSnooze={() => setSnoozing(true)} onRead={toggleRead} />
        ) : null}
        {canOpenAgain ? (
          <button type="button" class="button" onClick={() => app.inbox.reopen(item)}>
            Open again <kbd>u</kbd>
          </button>
        ) : null}
        <Links item={item} />
      </p>
      {isSnoozing ? (
        <SnoozeMenu
          onClose={() => setSnoozing(false)}
          onSnooze={(forMs) => {
            props.onGone();
            app.inbox.snooze(item, forMs);
          }}
        />
      ) : null}
    </>
  );
}

/** What can be done with an item that waits, beside answering it. */
function WaitingActs(props: {
  readonly item: ApiInboxItem;
  readonly isNew: boolean;
  readonly onDone: () => void;
  readonly onSnooze: () => void;
  readonly onRead: () => void;
}): VNode {
  return (
    <>
      <button type="button" class="button" onClick={props.onDone}>
        {canReopen(props.item.kind) ? "Done" : "Done, unanswered"} <kbd>e</kbd>
      </button>
      <button type="button" class="button" onClick={props.onSnooze}>
        Snooze… <kbd>h</kbd>
      </button>
      <button type="button" class="button" onClick={props.onRead}>
        {props.isNew ? "Mark as read" : "Mark as new"} <kbd>m</kbd>
      </button>
    </>
  );
}

/** How it ended, or until when it waits. */
function Outcome({ app, item }: { readonly app: App; readonly item: ApiInboxItem }): VNode | null {
  const by = item.by === null ? "" : ` ${byWords(item.by)}`;
  if (item.state === "answered") {
    return (
      <p class="notice good" role="status">
        Answered{by}: <strong>{item.answer}</strong>
        {item.delivered === false ? " — not delivered yet; its job gets it when it goes on" : null}
      </p>
    );
  }
  if (item.state === "done") return <p class="notice">Put away{by}.</p>;
  if (item.state === "expired")
    return <p class="notice">Its time is over. Nobody answered, and there was no default.</p>;
  if (item.state === "snoozed" && item.snoozedUntil !== null) {
    return <p class="notice">Snoozed until {new Date(item.snoozedUntil).toLocaleString()}.</p>;
  }
  if (item.expiresAt === null) return null;
  return <p class="quiet">Expires in {formatSpan(Date.parse(item.expiresAt) - app.nowMs.value)}.</p>;
}

/** Facts of its kind, as far as they are plain values. */
function Facts({ item }: { readonly item: ApiInboxItem }): VNode | null {
  const facts = Object.entries(item.data).flatMap(([name, value]) => {
    const text = Array.isArray(value) ? value.filter((one) => typeof one === "string").join(", ") : value;
    return typeof text === "string" || typeof text === "number" ? [[name, String(text)] as const] : [];
  });
  if (facts.length === 0) return null;
  return (
    <dl class="facts">
      {facts.slice(0, 20).map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text.slice(0, 2000)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Links({ item }: { readonly item: ApiInboxItem }): VNode | null {
  if (item.lane === null) return null;
  const id = item.lane;
  return (
    <span class="links">
      <a href={toPath("lane", { id })}>Lane</a>
      <a href={toPath("changes", { id })}>Changes</a>
      {item.kind === "drift" ? <a href={toPath("drift", { id })}>Drift</a> : null}
    </span>
  );
}
