import type { VNode } from "preact";

/** Outlines on a field of 16 by 16. */
const PATHS: Readonly<Record<string, string>> = {
  question:
    "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM6.2 6.2a1.9 1.9 0 1 1 2.6 1.9c-.5.2-.8.6-.8 1.1v.3M8 11.6v.1",
  approval: "M8 1.5 13.5 4v3.6c0 3.2-2.2 5.7-5.5 6.9-3.3-1.2-5.5-3.7-5.5-6.9V4L8 1.5ZM5.6 8l1.7 1.7 3.2-3.3",
  failed: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM5.9 5.9l4.2 4.2M10.1 5.9l-4.2 4.2",
  lost: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM4.8 8h6.4",
  login: "M9.8 9.2a3.6 3.6 0 1 0-3-3L1.8 11.2V14h2.8v-1.8h1.8v-1.8h1.8l1.6-1.2ZM11 4.9v.1",
  drift: "M2 5.2h8.5M8 2.5l2.7 2.7L8 7.9M14 10.8H5.5M8 8.1l-2.7 2.7L8 13.5",
  diverged: "M4 2v12M4 9c5 0 8-1.5 8-6.5M9.8 4.6 12 2.4l2.2 2.2",
  review: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 9.9a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8Z",
  limit: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM8 4.5V8l2.4 1.6",
};

/** A small outline beside a word that says the same. */
export function Icon({ name }: { readonly name: string }): VNode {
  const path = Object.hasOwn(PATHS, name) ? PATHS[name] : PATHS.question;
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}
