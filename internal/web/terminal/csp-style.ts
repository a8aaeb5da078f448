/**
 * What the terminal's package does with styles, in ways that a policy without inline styles allows: the build puts these in
 * the place of its own calls (`build/terminal-styles.ts`).
 */

/** Stands in for a `style` element: its text becomes a constructed style sheet that lives as long as it is in use. */
export function styleElement(): HTMLElement {
  const element = document.createElement("template");
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", { set: (text: string) => void sheet.replaceSync(text) });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

/** Sets an element's whole `style`. */
export function setStyle(element: HTMLElement, text: string): void {
  element.style.cssText = text;
}
