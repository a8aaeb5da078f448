import type { ReadonlySignal } from "@preact/signals";
import { h, type VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { App } from "../app.ts";
import { waitingCount } from "../data/inbox-list.ts";
import { useNews } from "../news/use-news.ts";
import { type RouteName, toPath } from "../router.ts";
import { SCREENS } from "../screens/registry.ts";
import { showCount } from "./badge.ts";
import { CommandBar } from "./command-bar.tsx";
import { useKeys } from "./hooks.ts";
import { KeyList } from "./key-list.tsx";

/** A message at the bottom of the page. */
export interface Toast {
  readonly message: string;
  readonly undo: (() => void) | null;
}

const NAV = [
  ["inbox", "Inbox"],
  ["lanes", "Lanes"],
  ["health", "Health"],
] as const satisfies readonly (readonly [RouteName, string])[];

/** What stands around every screen. */
export function Frame({ app, toast }: { readonly app: App; readonly toast: ReadonlySignal<Toast | null> }): VNode {
  const place = app.router.place.value;
  const [dialog, setDialog] = useState<"keys" | "commands" | null>(null);
  const waiting = waitingCount(app.store.inbox.value);
  const news = useNews(app);
  const goTo = (name: RouteName) => () => app.router.go(toPath(name));
  /** To a screen of the lane that is shown, or from there back to its work. */
  const goView = (name: RouteName) => () => {
    const { params, name: now } = app.router.place.value;
    return params.id === undefined ? false : app.router.go(toPath(now === name ? "lane" : name, { id: params.id }));
  };
  useKeys(app, {
    ...{ "go.inbox": goTo("inbox"), "go.lanes": goTo("lanes"), "go.health": goTo("health") },
    "go.tasks": () => app.router.go(toPath("inbox", {}, { kind: "approval" })),
    ...{ "view.changes": goView("changes"), "view.drift": goView("drift") },
    ...{ "view.logs": goView("logs"), "view.terminal": goView("terminal") },
    new: () => app.router.go(`${toPath("lanes")}?new`),
    undo: () => app.inbox.undo(),
    keys: () => setDialog("keys"),
    commands: () => setDialog("commands"),
  });
  useEffect(() => showCount(document, waiting), [waiting]);
  // The browser tells of a closed dialog late: by then another one may be open.
  const close = (closed: typeof dialog) => () => setDialog((open) => (open === closed ? null : open));
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <a class="brand" href={toPath("inbox")}>
          Lanekeeper
        </a>
        <nav aria-label="Page">
          {NAV.map(([name, label]) => (
            <a
              key={name}
              class="top-link"
              href={toPath(name)}
              aria-current={isAt(place.name, name) ? "page" : undefined}
            >
              {label}
              {name === "inbox" && waiting > 0 ? (
                <span class="count attention">
                  {waiting}
                  <span class="unseen"> waiting</span>
                </span>
              ) : null}
            </a>
          ))}
        </nav>
        <button type="button" class="button plain top-keys" onClick={() => setDialog("commands")}>
          <span class="unseen">Commands</span>
          <kbd>Ctrl K</kbd>
        </button>
        <button type="button" class="button plain top-keys" onClick={() => setDialog("keys")}>
          <span class="unseen">Keys</span>
          <kbd>?</kbd>
        </button>
      </header>
      <ConnectionBanner app={app} />
      <main id="main" tabIndex={-1}>
        {place.name === null ? (
          <div class="empty">
            <h1 class="empty-title">There is nothing at this address.</h1>
            <p>
              <a href={toPath("inbox")}>To the inbox</a>
            </p>
          </div>
        ) : (
          h(SCREENS[place.name], { app, place, key: `${place.name} ${place.params.id ?? ""}` })
        )}
      </main>
      <p class="unseen" role="status" aria-live="polite">
        {news}
      </p>
      <ToastView toast={toast.value} />
      {dialog === "keys" ? <KeyList onClose={close("keys")} /> : null}
      {dialog === "commands" ? <CommandBar app={app} onClose={close("commands")} /> : null}
    </>
  );
}

/** How the page stands with the daemon, when it does not stand well. */
function ConnectionBanner({ app }: { readonly app: App }): VNode | null {
  const { kind } = app.store.connection.value;
  if (kind === "live" || kind === "connecting") return null;
  return (
    <div class={`banner ${kind === "refused" ? "bad" : ""}`} role="status">
      {kind === "away"
        ? "The daemon does not answer; trying again. What you see is as it was last."
        : "This page is signed out. Open it anew from a terminal: lane open"}
    </div>
  );
}

function ToastView({ toast }: { readonly toast: Toast | null }): VNode {
  return (
    <div class="toast-place" role="status">
      {toast === null ? null : (
        <div class="toast">
          <span>{toast.message}</span>
          {toast.undo === null ? null : (
            <button type="button" class="button" onClick={toast.undo}>
              Undo <kbd>u</kbd>
            </button>
          )}
        </div>
      )}
    </div>
  );
}

function isAt(place: RouteName | null, name: RouteName): boolean {
  if (place === name) return true;
  return name === "lanes" && place !== null && place !== "inbox" && place !== "health";
}
