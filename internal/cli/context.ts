import { AppError, type Clock } from "../base/index.ts";
import { type Api, createApi } from "./api.ts";
import { createClient, type Protocol } from "./client.ts";
import type { CliIo, StopSignal } from "./io.ts";
import { createProgress, type Progress } from "./progress.ts";
import { type ColorChoice, createStyle, type RenderOptions, type Style, wantsColor } from "./style.ts";
import { toSafeJson } from "./text.ts";

/** What `cmd/lane` hands to the CLI. */
export interface CliDeps {
  readonly io: CliIo;
  readonly clock: Clock;
  /** Of this build, to be compared with the daemon's. */
  readonly build: { readonly version: string; readonly build: string };
  /** Path of the daemon's program. */
  readonly laned: string;
  /** The daemon's places; called only by verbs that need them. @throws config.invalid */
  locate(): Promise<DaemonPlaces>;
}

/** Where the daemon of this installation is found. */
export interface DaemonPlaces {
  readonly socket: string;
  /** Takes what a daemon started by `lane up` writes. */
  readonly logFile: string;
  /** The user's own configuration; it need not exist. */
  readonly configFile: string;
}

/** Options every verb has. */
export interface CommonOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: ColorChoice;
}

/** What a verb works with. */
export interface Ctx extends CommonOptions {
  readonly deps: CliDeps;
  readonly io: CliIo;
  readonly clock: Clock;
  /** Words after `--`; `null` when there was none. */
  readonly passthrough: readonly string[] | null;
  /** Width of the terminal that data goes to; `undefined` when it is piped. */
  readonly width: number | undefined;
  /** For stdout. */
  readonly style: Style;
  readonly progress: Progress;
  /** Aborts on INT and TERM, unless a verb has taken the signals over. */
  readonly signal: AbortSignal;
  /** Routes INT and TERM to `handler` until the returned function is called. */
  takeSignals(handler: (signal: StopSignal) => void): () => void;
  api(): Promise<Api>;
  /** Data for people: lines on stdout. */
  print(...lines: readonly string[]): Promise<void>;
  /** Data for programs: pretty for one answer, on one line as part of a stream. */
  printJson(value: unknown, opts?: { readonly line: boolean }): Promise<void>;
  /** A remark on stderr; nothing when quiet. */
  note(text: string): Promise<void>;
}

/** What renderers need of a context. */
export function renderOptionsOf(ctx: Ctx): RenderOptions {
  return { style: ctx.style, width: ctx.width, nowMs: ctx.clock.nowMs() };
}

/** Loads the wire's schemas. */
export const loadProtocol = (): Promise<Protocol> => import("../protocol/index.ts");

/** Makes the context of one verb. `dispose` gives the signals back. */
export function createContext(
  deps: CliDeps,
  options: CommonOptions,
  passthrough: readonly string[] | null,
): { readonly ctx: Ctx; readonly dispose: () => void } {
  const { io, clock } = deps;
  const stop = new AbortController();
  let handlers: readonly ((signal: StopSignal) => void)[] = [
    (signal) => stop.abort(new AppError({ code: "cancelled", message: `ended by ${signal}`, details: { signal } })),
  ];
  const dispose = io.onSignal((signal) => handlers.at(-1)?.(signal));
  const progress = createProgress({ stderr: io.stderr, quiet: options.quiet || options.json, clock });
  let api: Promise<Api> | null = null;

  const openApi = async () => {
    const { socket } = await deps.locate();
    return createApi(createClient({ socketPath: socket, signal: stop.signal, loadProtocol }), loadProtocol);
  };
  const ctx: Ctx = {
    ...options,
    deps,
    io,
    clock,
    passthrough,
    width: io.stdout.isTty ? (io.stdout.columns ?? 80) : undefined,
    style: createStyle(wantsColor({ choice: options.color, env: io.env, isTty: io.stdout.isTty })),
    progress,
    signal: stop.signal,
    takeSignals(handler) {
      handlers = [...handlers, handler];
      return () => {
        handlers = handlers.filter((one) => one !== handler);
      };
    },
    api: () => {
      api ??= openApi();
      return api;
    },
    async print(...lines) {
      await progress.clear();
      if (lines.length > 0) await io.stdout.write(`${lines.join("\n")}\n`);
    },
    async printJson(value, opts) {
      await progress.clear();
      await io.stdout.write(`${toSafeJson(value, opts?.line ? undefined : 2)}\n`);
    },
    async note(text) {
      if (options.quiet) return;
      await progress.clear();
      await io.stderr.write(`${text}\n`);
    },
  };
  return { ctx, dispose };
}
