import type { ComponentChildren, VNode } from "preact";

/** A part of the page that scrolls by itself, also by keyboard. */
export function ScrollBox(props: {
  readonly class: string;
  readonly label: string;
  readonly children: ComponentChildren;
  readonly box?: { current: HTMLElement | null };
  readonly onScroll?: (() => void) | undefined;
}): VNode {
  return (
    <section
      ref={props.box ?? null}
      class={props.class}
      aria-label={props.label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable without a mouse
      tabIndex={0}
      onScroll={props.onScroll}
    >
      {props.children}
    </section>
  );
}

/** A table that scrolls sideways where it is too wide. An empty head is one for buttons. */
export function PlainTable(props: {
  readonly label: string;
  readonly head: readonly string[];
  readonly children: ComponentChildren;
}): VNode {
  return (
    <ScrollBox class="table-box" label={props.label}>
      <table class="plain-table">
        <thead>
          <tr>
            {props.head.map((word) => (
              <th key={word} scope="col">
                {word === "" ? <span class="unseen">What can be done</span> : word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </ScrollBox>
  );
}
