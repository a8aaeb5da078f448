import { useEffect, useRef, useState } from "preact/hooks";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import type { Deeds } from "../key-actions.ts";

/** Offers these deeds to the keyboard while the part is shown. They may change with every drawing. */
export function useKeys(app: App, deeds: Deeds): void {
  const latest = useRef(deeds);
  latest.current = deeds;
  useEffect(() => {
    const names = Object.keys(deeds) as (keyof Deeds)[];
    return app.keys.bind(Object.fromEntries(names.map((name) => [name, (key: string) => latest.current[name]?.(key)])));
    // The names of a part's deeds do not change, only what they do.
  }, [app]);
}

/** Is a media query true? Follows it. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const look = () => setMatches(list.matches);
    look();
    list.addEventListener("change", look);
    return () => list.removeEventListener("change", look);
  }, [query]);
  return matches;
}

/** Is the tab in sight? */
export function useVisible(): boolean {
  const [isVisible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const look = () => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return isVisible;
}

/** What a fetch has brought. While it is done again the last answer stays. */
export interface Fetched<T> {
  readonly value: T | null;
  /** What went wrong the last time; null when nothing did. */
  readonly failure: string | null;
}

/** Fetches when `key` or `round` changes; a null key fetches nothing. An answer of an earlier key is never shown. */
export function useFetched<T>(
  key: string | null,
  round: unknown,
  fetch: (key: string, signal: AbortSignal) => Promise<T>,
): Fetched<T> {
  const [state, setState] = useState<Fetched<T> & { readonly key: string | null }>({
    key: null,
    value: null,
    failure: null,
  });
  useEffect(() => {
    if (key === null) return;
    const stop = new AbortController();
    fetch(key, stop.signal).then(
      (value) => stop.signal.aborted || setState({ key, value, failure: null }),
      (error: unknown) =>
        stop.signal.aborted ||
        setState((before) => ({ key, value: before.key === key ? before.value : null, failure: describeError(error) })),
    );
    return () => stop.abort();
  }, [key, round]);
  return state.key === key ? state : { value: null, failure: null };
}
