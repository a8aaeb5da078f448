import { h, type JSX } from "preact";

/** Text of a program as it is. Long ones scroll, by the keyboard too. */
export function Output(props: { readonly text: string; readonly label: string; readonly class?: string }): JSX.Element {
  const attributes = { class: `output ${props.class ?? ""}`, tabIndex: 0, role: "group", "aria-label": props.label };
  return h("pre", attributes, props.text);
}
