import { FitAddon } from "@xterm/addon-fit";
import { type ITheme, Terminal } from "@xterm/xterm";
import type { TerminalSize } from "../../protocol/index.ts";

/** A terminal on the page. */
export interface TerminalView extends Disposable {
  /** What fits now. */
  readonly size: TerminalSize;
  write(bytes: Uint8Array, drawn: () => void): void;
  focus(): void;
}

const SCROLLBACK_LINES = 5000;
const FONT_PX = 13;

/** Puts a terminal into `box`; it follows the box's size and the system's colours. */
export function openView(
  box: HTMLElement,
  listener: {
    readonly onInput: (bytes: Uint8Array) => void;
    readonly onResize: (size: TerminalSize) => void;
    /** The keys that leave the terminal were pressed: all others belong to what runs in it. */
    readonly onLeave: () => void;
  },
): TerminalView {
  const styles = getComputedStyle(document.documentElement);
  const terminal = new Terminal({
    fontFamily: styles.getPropertyValue("--mono"),
    fontSize: FONT_PX,
    scrollback: SCROLLBACK_LINES,
    cursorBlink: false,
    minimumContrastRatio: 4.5,
    theme: toTheme(styles),
    // Where a program's link leads is not what it says: it stays text.
    linkHandler: { activate: () => undefined },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(box);
  fit.fit();
  const encoder = new TextEncoder();
  terminal.onData((text) => listener.onInput(encoder.encode(text)));
  terminal.onBinary((text) => listener.onInput(Uint8Array.from(text, (char) => char.charCodeAt(0))));
  terminal.onResize(({ cols, rows }) => listener.onResize({ cols, rows }));
  terminal.attachCustomKeyEventHandler((event) => {
    if (!(event.ctrlKey && event.altKey && event.key.toLowerCase() === "x")) return true;
    event.preventDefault();
    if (event.type === "keydown") listener.onLeave();
    return false;
  });
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(box);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const recolour = () => {
    terminal.options.theme = toTheme(getComputedStyle(document.documentElement));
  };
  scheme.addEventListener("change", recolour);
  return {
    get size() {
      return { cols: terminal.cols, rows: terminal.rows };
    },
    write: (bytes, drawn) => terminal.write(bytes, drawn),
    focus: () => terminal.focus(),
    [Symbol.dispose]() {
      observer.disconnect();
      scheme.removeEventListener("change", recolour);
      terminal.dispose();
    },
  };
}

/** The page's own colours. */
function toTheme(styles: CSSStyleDeclaration): ITheme {
  const colour = (name: string) => styles.getPropertyValue(name).trim();
  return {
    background: colour("--sunken"),
    foreground: colour("--text"),
    cursor: colour("--accent"),
    selectionBackground: colour("--accent-soft"),
    black: colour("--text"),
    red: colour("--bad"),
    green: colour("--good"),
    yellow: colour("--warn"),
    blue: colour("--accent"),
    brightBlack: colour("--quiet"),
    brightRed: colour("--bad"),
    brightGreen: colour("--good"),
    brightYellow: colour("--warn"),
    brightBlue: colour("--accent"),
  };
}
