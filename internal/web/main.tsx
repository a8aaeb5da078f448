import { signal } from "@preact/signals";
import { h, render } from "preact";
import { createApi } from "./api.ts";
import type { App } from "./app.ts";
import { createInboxActions } from "./data/inbox-actions.ts";
import { openStore, type Store } from "./data/store.ts";
import { createKeyActions } from "./key-actions.ts";
import { ensureToken, forgetToken } from "./login.ts";
import { createChime } from "./news/chime.ts";
import { Frame, type Toast } from "./parts/frame.tsx";
import { SignedOut } from "./parts/signed-out.tsx";
import { wantsSound } from "./parts/wishes.tsx";
import { createRouter } from "./router.ts";

const TOAST_MS = 5000;
const CLOCK_MS = 5000;

/** Builds the page for this token and shows it. */
function start(root: HTMLElement, token: string): void {
  const toast = signal<Toast | null>(null);
  const nowMs = signal(Date.now());
  setInterval(() => {
    nowMs.value = Date.now();
  }, CLOCK_MS);
  const say: App["say"] = (message, undo) => {
    const mine: Toast = { message, undo: undo ?? null };
    toast.value = mine;
    setTimeout(() => {
      if (toast.value === mine) toast.value = null;
    }, TOAST_MS);
  };
  let store: Store | null = null;
  const onUnauthorized = () => {
    forgetToken();
    store?.refuse();
  };
  const api = createApi({ token, fetch: (...args) => fetch(...args), onUnauthorized });
  store = openStore(api);
  const app: App = {
    ...{ api, store, say, nowMs, drafts: new Map(), answers: new Map() },
    router: createRouter(window),
    keys: createKeyActions(document),
    inbox: createInboxActions({ api, store, say }),
    chime: createChime(wantsSound, new AbortController().signal),
  };
  render(h(Frame, { app, toast }), root);
}

const root = document.getElementById("page");
if (root) {
  void ensureToken().then((login) => {
    if (login.kind === "in") start(root, login.token);
    else render(h(SignedOut, { reason: login.reason }), root);
  });
}
