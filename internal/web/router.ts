import { type ReadonlySignal, signal } from "@preact/signals";

/** Every address of the page: its name, and its pattern. A `:word` is a parameter of one segment. */
export const ROUTES = {
  inbox: "/",
  lanes: "/lanes",
  lane: "/lanes/:id",
  changes: "/lanes/:id/changes",
  logs: "/lanes/:id/logs",
  drift: "/lanes/:id/drift",
  terminal: "/lanes/:id/terminal",
  health: "/health",
} as const;

/** An address's name. */
export type RouteName = keyof typeof ROUTES;

/** Where the page is. */
export interface Place {
  /** Null for an address that there is not. */
  readonly name: RouteName | null;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

/** Moves through the page by the history API. */
export interface Router extends Disposable {
  readonly place: ReadonlySignal<Place>;
  /** Goes to `path` (with query). `replace`: without an entry in the history, as for filters. */
  go(path: string, opts?: { readonly replace?: boolean }): void;
}

/** The place that an address stands for. */
export function matchPlace(path: string): Place {
  const url = new URL(path, "http://page.invalid");
  const parts = split(url.pathname);
  for (const [name, pattern] of Object.entries(ROUTES)) {
    const params = matchParts(split(pattern), parts);
    if (params !== null) return { name: name as RouteName, params, query: url.searchParams };
  }
  return { name: null, params: {}, query: url.searchParams };
}

/** The address of a place, as `toPath("lane", { id })`. Empty query values are left out. */
export function toPath(
  name: RouteName,
  params: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, string | null>> = {},
): string {
  const path = ROUTES[name].replace(/:(\w+)/g, (_, word: string) => encodeURIComponent(params[word] ?? ""));
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value) search.set(key, value);
  return search.size === 0 ? path : `${path}?${search}`;
}

/** Follows the window's address; plain clicks on links of the page's own origin stay in the page. */
export function createRouter(win: Window): Router {
  const here = () => matchPlace(win.location.pathname + win.location.search);
  const place = signal(here());
  const stop = new AbortController();
  const go: Router["go"] = (path, { replace = false } = {}) => {
    if (replace) win.history.replaceState(null, "", path);
    else win.history.pushState(null, "", path);
    place.value = here();
  };
  win.addEventListener("popstate", () => (place.value = here()), { signal: stop.signal });
  win.document.addEventListener(
    "click",
    (event) => {
      const path = ownLink(event, win.location.origin);
      if (path === null) return;
      event.preventDefault();
      go(path);
    },
    { signal: stop.signal },
  );
  return { place, go, [Symbol.dispose]: () => stop.abort() };
}

function ownLink(event: MouseEvent, origin: string): string | null {
  if (event.defaultPrevented || event.button !== 0) return null;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (link?.target !== "" || link.origin !== origin || link.getAttribute("href")?.startsWith("#")) return null;
  return matchPlace(link.pathname).name === null ? null : link.pathname + link.search;
}

function split(path: string): readonly string[] {
  return path.split("/").filter(Boolean);
}

function matchParts(pattern: readonly string[], parts: readonly string[]): Record<string, string> | null {
  if (pattern.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [at, want] of pattern.entries()) {
    const part = parts[at] ?? "";
    if (!want.startsWith(":")) {
      if (want !== part) return null;
      continue;
    }
    try {
      params[want.slice(1)] = decodeURIComponent(part);
    } catch {
      return null;
    }
  }
  return params;
}
