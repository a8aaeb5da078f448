/** One program of `dist/bin`, bundled from `cmd/<name>/main.ts`. */
export interface Program {
  readonly name: ProgramName;
  /** Runs on the host, or inside lanes under the image's Node. */
  readonly where: "host" | "lane";
  /**
   * Started by our loader, which runs the bundle from a V8 code cache (`<name>.cache`) when one fits: for programs
   * whose time to start matters. `warmUp` are the arguments of the run after which the cache is taken; empty: the
   * bundle exports `warmUp()`.
   */
  readonly codeCache: { readonly warmUp: readonly string[] } | null;
}

/** The names of all programs. */
export type ProgramName = "lane" | "laned" | "lane-worker" | "inbox";

/**
 * What is built. A `cmd/<name>/main.ts` either exports `main()` or starts by itself when loaded; it must not await at
 * the top level (the bundles are CommonJS: they start about 10 ms sooner, and a code cache needs it). `lane-worker`
 * exports `main()` and `warmUp()` and does nothing when merely loaded.
 */
export const PROGRAMS: readonly Program[] = [
  { name: "lane", where: "host", codeCache: { warmUp: ["--help"] } },
  { name: "laned", where: "host", codeCache: null },
  { name: "lane-worker", where: "lane", codeCache: { warmUp: [] } },
  { name: "inbox", where: "lane", codeCache: null },
];

/** Packages with native code: never bundled, only host programs may use them. */
export const NATIVE_PACKAGES: readonly string[] = ["better-sqlite3"];
