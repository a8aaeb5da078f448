/** Colours text, or leaves it as it is. Meaning never hangs on colour alone. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/** What `--color` may say. */
export type ColorChoice = "auto" | "always" | "never";

/** Is colour wanted on this stream? `--color` first, then NO_COLOR, FORCE_COLOR, TERM and the terminal. */
export function wantsColor(opts: {
  readonly choice: ColorChoice;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTty: boolean;
}): boolean {
  if (opts.choice !== "auto") return opts.choice === "always";
  const { NO_COLOR, FORCE_COLOR, TERM } = opts.env;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0") return true;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  return opts.isTty && TERM !== "dumb";
}

/** Makes a style. */
export function createStyle(color: boolean): Style {
  const paint = (open: number, close: number) => (text: string) =>
    color && text !== "" ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39) };
}

/** What rendering for a person needs. */
export interface RenderOptions {
  readonly style: Style;
  readonly width: number | undefined;
  readonly nowMs: number;
}
