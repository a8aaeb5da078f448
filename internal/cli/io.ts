/** The process as the CLI sees it; only `cmd/lane` knows the real one. */
export interface CliIo {
  /** The words after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls `handler` on each INT and TERM instead of ending the process, until the returned function is called. */
  onSignal(handler: (signal: StopSignal) => void): () => void;
}

/** Signals that ask the CLI to end. */
export type StopSignal = "SIGINT" | "SIGTERM";

/** Where text and bytes go. */
export interface Output {
  /** Resolves when the chunk was taken, so that a slow reader slows us down. */
  write(chunk: string | Uint8Array): Promise<void>;
  readonly isTty: boolean;
  /** Width in columns; `undefined` when it is no terminal. */
  readonly columns: number | undefined;
}

/** Where text comes from. */
export interface Input {
  readonly isTty: boolean;
  /** Everything until end of file, as UTF-8. */
  readAll(): Promise<string>;
  /** One line, for an answer typed by a person; empty at end of file. */
  readLine(): Promise<string>;
}
