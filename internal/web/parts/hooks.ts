import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import type { Deeds } from "../key-actions.ts";

/** Offers these deeds (and numbered choices) to the keyboard while the part is shown. They may change with every drawing. */
export function useKeys(app: App, deeds: Deeds, choices: readonly string[] = []): void {
  const latest = useRef({ deeds, choices });
  latest.current = { deeds, choices };
  // Before it is drawn: the very next key is for what can be seen.
  useLayoutEffect(() => {
    const names = Object.keys(deeds) as (keyof Deeds)[];
    const bound = names.map((name) => [name, (key: string) => latest.current.deeds[name]?.(key)] as const);
    return app.keys.bind(Object.fromEntries(bound), () => latest.current.choices);
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

/** Does a person look at this tab: is it in sight, and has it the focus? */
export function isLookedAt(): boolean {
  return !document.hidden && document.hasFocus();
}

/** As {@link isLookedAt}; follows it. */
export function useLookedAt(): boolean {
  const [isNow, setNow] = useState(isLookedAt);
  useEffect(() => onLookChange(() => setNow(isLookedAt())), []);
  return isNow;
}

/** Calls `look` whenever {@link isLookedAt} may have changed; returns the end of it. */
export function onLookChange(look: () => void): () => void {
  const stop = new AbortController();
  document.addEventListener("visibilitychange", look, stop);
  addEventListener("focus", look, stop);
  addEventListener("blur", look, stop);
  return () => stop.abort();
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

/** More texts are not kept: what is written is sent, or forgotten. */
const KEPT_MAX = 100;

/** As a state, but what was written under `key` is there again when the part is shown again. */
export function useKept<T>(kept: Map<string, T>, key: string, initial: T): [T, (change: (before: T) => T) => void] {
  const [value, setValue] = useState(() => kept.get(key) ?? initial);
  useLayoutEffect(() => {
    kept.delete(key);
    if (value !== initial) kept.set(key, value);
    const [oldest] = kept.size > KEPT_MAX ? kept.keys() : [];
    if (oldest !== undefined) kept.delete(oldest);
  }, [value]);
  return [value, setValue];
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
