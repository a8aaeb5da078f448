import type { VNode } from "preact";

/** Instead of the page, when there is no token for it: why, and how to get one. */
export function SignedOut({ reason }: { readonly reason: string }): VNode {
  return (
    <main class="empty">
      <h1 class="empty-title">Open this page from a terminal</h1>
      <p class="quiet">{reason}</p>
      <p>
        Run <code>lane open</code>
      </p>
    </main>
  );
}
