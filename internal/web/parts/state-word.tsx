import type { VNode } from "preact";
import { toneOf } from "../data/lane-groups.ts";

/** The state of a lane or job: a dot, and the word that says the same. */
export function StateWord({ state }: { readonly state: string }): VNode {
  return (
    <span class={`state tone-${toneOf(state)}`}>
      <span class="dot" aria-hidden="true" />
      {state.replaceAll("_", " ")}
    </span>
  );
}
