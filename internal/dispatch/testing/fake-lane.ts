import { AppError } from "../../base/index.ts";
import type { JobResult, WorkerEvent, WorkerEventBody, WorkerOutcome } from "../../job/index.ts";
import type { AttemptReport } from "../../protocol/index.ts";
import type { Dispatcher } from "../dispatcher.ts";
import { attemptKey } from "../lane-slot.ts";
import type { LaneLink, StartRequest } from "../ports.ts";

/** An attempt in the scripted worker's spool. */
export interface SpooledAttempt {
  readonly job: string;
  readonly attempt: number;
  readonly bodyHash: string;
  /** `interrupted`: started by an earlier worker process, no end. */
  phase: "accepted" | "running" | "interrupted" | "finished";
  readonly events: WorkerEvent[];
  acked: number;
  /** This worker process was told to start it. */
  told: boolean;
  /** And to end it. */
  unwanted: boolean;
}

/** How the next `start` goes wrong. */
export type StartFault =
  | { readonly kind: "refuse"; readonly code: string }
  /** The frame never arrives; no answer. */
  | { readonly kind: "lose_request" }
  /** It arrives, and the answer is lost. */
  | { readonly kind: "lose_reply" };

/**
 * A lane's volume and worker, scripted: the same rules as the real one (idempotent start, a marker per start, replay
 * after the last acknowledged event, an interrupted attempt's end numbered after what the host has), every step by hand.
 */
export interface FakeLane {
  readonly laneId: string;
  readonly spool: () => Map<string, SpooledAttempt>;
  readonly spoolId: () => string;
  readonly link: () => LaneLink | null;
  /** `<job>/<attempt>` once per execution, over the lane's whole life. */
  readonly ledger: string[];
  readonly calls: string[];
  generation: number;
  fault: StartFault | null;
  /** Opens a link; the replay comes before the link is handed over when `early`, and `meanwhile` happens before it, too. */
  open(opts?: {
    readonly meanwhile?: (() => void) | undefined;
    readonly early?: boolean;
    readonly shuffle?: ((frames: WorkerEvent[][]) => WorkerEvent[][]) | undefined;
  }): LaneLink;
  /** The connection breaks. `silently`: the host has not noticed yet. */
  cut(opts?: { readonly silently?: boolean }): void;
  /** The worker's process ends, with everything it ran. */
  crash(): void;
  /** The volume is made anew. */
  wipe(): void;
  /** Executes what was accepted. */
  begin(job: string, attempt?: number): void;
  emit(job: string, bodies: readonly WorkerEventBody[], attempt?: number): void;
  output(job: string, text: string, attempt?: number): void;
  exit(job: string, exitCode: number, attempt?: number): void;
  finish(job: string, outcome: WorkerOutcome, attempt?: number): void;
}

/** A result with this exit code. */
export const result = (exitCode: number | null): JobResult => ({
  exitCode,
  signal: null,
  stderrTail: "",
  truncated: false,
});

const FRAME = 4;

/** See {@link FakeLane}. `dispatcher` may change: a daemon that was started anew. */
export function createFakeLane(laneId: string, dispatcher: () => Dispatcher, nowMs: () => number = () => 5): FakeLane {
  let attempts = new Map<string, SpooledAttempt>();
  let spools = 1;
  let link: LaneLink | null = null;
  const pending = new Set<(error: Error) => void>();

  const gone = () => new AppError({ code: "worker.unreachable", message: "the link has gone", retry: "retryable" });
  const refuse = (code: string) =>
    new AppError({ code: "worker.refused", message: code, details: { code, message: `refused: ${code}` } });
  const find = (job: string, attempt: number) => {
    const found = attempts.get(attemptKey(job, attempt));
    if (!found) throw new Error(`no attempt ${job}/${attempt} in the fake spool`);
    return found;
  };
  const report = (one: SpooledAttempt): AttemptReport => ({
    job: one.job,
    attempt: one.attempt,
    bodyHash: one.bodyHash,
    state: one.phase === "interrupted" ? "finished" : one.phase,
    lastSeq: one.events.length + (one.phase === "interrupted" ? 1 : 0),
  });
  const send = (one: SpooledAttempt, events: readonly WorkerEvent[]) => {
    if (link && events.length > 0) dispatcher().onEvents(laneId, self.generation, one.job, one.attempt, events);
  };
  const hang = (signal?: AbortSignal) =>
    new Promise<never>((_, reject) => {
      pending.add(reject);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });

  const startOn = async (mine: LaneLink, request: StartRequest, signal?: AbortSignal): Promise<AttemptReport> => {
    const key = attemptKey(request.job, request.attempt);
    self.calls.push(`start ${key} g${request.generation}`);
    const { fault } = self;
    self.fault = null;
    if (link !== mine) throw gone();
    if (fault?.kind === "lose_request") return hang(signal);
    if (fault?.kind === "refuse") throw refuse(fault.code);
    if (request.generation !== self.generation) throw refuse("stale_generation");
    const known = attempts.get(key);
    if (known && known.bodyHash !== request.bodyHash) throw refuse("body_mismatch");
    const one: SpooledAttempt = known ?? {
      job: request.job,
      attempt: request.attempt,
      bodyHash: request.bodyHash,
      phase: "accepted",
      events: [],
      acked: 0,
      told: false,
      unwanted: false,
    };
    one.told = true;
    attempts.set(key, one);
    return fault?.kind === "lose_reply" ? hang(signal) : report(one);
  };

  const cancelOn = async (mine: LaneLink, target: { readonly job: string; readonly attempt: number }) => {
    self.calls.push(`cancel ${attemptKey(target.job, target.attempt)}`);
    if (link !== mine) throw gone();
    const one = attempts.get(attemptKey(target.job, target.attempt));
    if (!one) throw refuse("unknown_attempt");
    one.unwanted = true;
    if (one.phase === "accepted") self.finish(target.job, { kind: "cancelled", result: result(null) }, target.attempt);
    return report(one);
  };

  const self: FakeLane = {
    laneId,
    spool: () => attempts,
    spoolId: () => `spool-${laneId}-${spools}`,
    link: () => link,
    ledger: [],
    calls: [],
    generation: 1,
    fault: null,
    open: (opts = {}) => {
      const mine: LaneLink = {
        laneId,
        generation: self.generation,
        spool: self.spoolId(),
        attempts: [...attempts.values()].map(report),
        start: (request, { signal }) => startOn(mine, request, signal),
        cancel: (target) => cancelOn(mine, target),
        ack: (job, attempt, seq) => {
          const one = attempts.get(attemptKey(job, attempt));
          if (link === mine && one) one.acked = Math.max(one.acked, seq);
        },
      };
      const acked = dispatcher().getAcked(laneId);
      link = mine;
      const frames: WorkerEvent[][] = [];
      const owner = new Map<WorkerEvent[], SpooledAttempt>();
      for (const [key, one] of attempts) {
        const has = acked[key] ?? 0;
        if (one.phase === "interrupted") {
          const error = { code: "interrupted", message: "the lane's worker ended while this attempt ran" };
          const body = { type: "finished", outcome: { kind: "failed", error, result: result(null) } } as const;
          one.events.push({ seq: Math.max(one.events.length, has) + 1, atMs: nowMs(), ...body });
          one.phase = "finished";
        }
        one.acked = Math.max(one.acked, Math.min(has, one.events.length));
        const rest = one.events.filter((event) => event.seq > has);
        for (let i = 0; i < rest.length; i += FRAME) {
          const frame = rest.slice(i, i + FRAME);
          frames.push(frame);
          owner.set(frame, one);
        }
      }
      const replay = () => {
        for (const frame of opts.shuffle?.(frames) ?? frames) {
          const one = owner.get(frame);
          if (one) send(one, frame);
        }
      };
      if (opts.early) replay();
      opts.meanwhile?.();
      dispatcher().attachLink(mine);
      if (!opts.early) replay();
      return mine;
    },
    cut: (opts = {}) => {
      const was = link;
      link = null;
      for (const reject of pending) reject(gone());
      pending.clear();
      if (was && !opts.silently) dispatcher().detachLink(laneId, was);
    },
    crash: () => {
      self.cut();
      for (const one of attempts.values()) {
        one.told = false;
        if (one.phase === "running") one.phase = "interrupted";
      }
    },
    wipe: () => {
      attempts = new Map();
      spools++;
    },
    begin: (job, attempt = 1) => {
      const one = find(job, attempt);
      if (one.phase !== "accepted" || !one.told)
        throw new Error(`${job}/${attempt} is ${one.phase}, told: ${one.told}`);
      const other = [...attempts.values()].find((twin) => twin.job === job && twin.phase === "running");
      if (other) throw new Error(`${job}: attempt ${other.attempt} still runs when ${attempt} begins`);
      one.phase = "running";
      self.ledger.push(attemptKey(job, attempt));
      self.emit(job, [{ type: "started", pid: 42 }], attempt);
    },
    emit: (job, bodies, attempt = 1) => {
      const one = find(job, attempt);
      const events = bodies.map((body, i) => ({ seq: one.events.length + 1 + i, atMs: nowMs(), ...body }));
      one.events.push(...events);
      send(one, events);
    },
    output: (job, text, attempt = 1) => self.emit(job, [{ type: "output", stream: "stdout", text }], attempt),
    exit: (job, exitCode, attempt = 1) => self.finish(job, { kind: "exited", result: result(exitCode) }, attempt),
    finish: (job, outcome, attempt = 1) => {
      find(job, attempt).phase = "finished";
      self.emit(job, [{ type: "finished", outcome }], attempt);
    },
  };
  return self;
}
