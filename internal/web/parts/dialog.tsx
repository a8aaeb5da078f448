import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** A dialog of the browser's own: it keeps the focus, Escape closes it, and the focus returns where it was. */
export function Dialog(props: {
  readonly title: string;
  readonly isWide?: boolean;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}): VNode {
  const element = useRef<HTMLDialogElement>(null);
  // Before anything is drawn: the very next key is the dialog's.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    // Beside the dialog: its own content is in a box that fills it.
    dialog?.addEventListener("click", (event) => event.target === dialog && dialog.close());
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} class={props.isWide ? "is-wide" : ""} aria-label={props.title} onClose={props.onClose}>
      <div class="dialog-body">
        <header class="dialog-head">
          <h2>{props.title}</h2>
          <button type="button" class="button plain" onClick={props.onClose}>
            Close <kbd>Esc</kbd>
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  readonly onYes: () => void;
  readonly onClose: () => void;
}): VNode {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p>{props.text}</p>
      <p class="actions">
        <button
          type="button"
          class="button danger"
          onClick={() => {
            props.onYes();
            props.onClose();
          }}
        >
          {props.yes}
        </button>
        <button type="button" class="button" onClick={props.onClose}>
          Keep
        </button>
      </p>
    </Dialog>
  );
}
