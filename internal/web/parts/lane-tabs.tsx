import type { VNode } from "preact";
import { type RouteName, toPath } from "../router.ts";

const TABS = [
  ["lane", "Work"],
  ["changes", "Changes"],
  ["logs", "Logs"],
  ["drift", "Drift"],
  ["terminal", "Terminal"],
] as const satisfies readonly (readonly [RouteName, string])[];

/** The screens of a lane, for the head of each of them. */
export function LaneTabs(props: { readonly id: string; readonly at: (typeof TABS)[number][0] }): VNode {
  return (
    <nav class="tabs" aria-label="Lane">
      {TABS.map(([name, label]) => (
        <a key={name} href={toPath(name, { id: props.id })} aria-current={props.at === name ? "page" : undefined}>
          {label}
        </a>
      ))}
    </nav>
  );
}
