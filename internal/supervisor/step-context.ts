import type { Workshop } from "./deps.ts";
import type { LaneCell } from "./lane-cell.ts";
import type { EngineConnection, LaneLink } from "./ports.ts";

/** What a step's execution needs beside the step. */
export interface StepContext<L extends LaneLink> {
  readonly shop: Workshop<L>;
  readonly cell: LaneCell<L>;
  readonly engine: EngineConnection;
  readonly signal: AbortSignal;
}
