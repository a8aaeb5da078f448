import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/index.ts";
import type { WorkerEventBody } from "../../job/index.ts";
import type { AttemptReport } from "../../protocol/index.ts";
import type { WorkerLog } from "../log.ts";
import { type AcceptedRecord, ATTEMPT_FILES, type SettledRecord } from "./attempt-files.ts";
import { createEventFile } from "./event-file.ts";
import { readSpooled, SPOOL_START } from "./read-spooled.ts";
import { createRecentLines } from "./recent-lines.ts";
import { type ReadLimits, type SpooledLine, takeLines, toSpooledLine } from "./spooled-line.ts";

/**
 * Where an attempt stands, as far as its spool tells.
 *
 * ```
 *  accepted -- started --> running -- finished --> finished -- acked --> settled
 *      |                      |                       ^
 *      +------ finished ------+-----------------------+
 *  interrupted (marker of an earlier worker process, no end) -- resume --> finished
 * ```
 */
export type AttemptPhase = "accepted" | "running" | "interrupted" | "finished" | "settled";

/** One attempt's record: its events, what the host has of them, and where it stands. */
export interface AttemptLog {
  readonly record: AcceptedRecord;
  /** `<job>/<attempt>`. */
  readonly key: string;
  readonly dir: string;
  phase(): AttemptPhase;
  lastSeq(): number;
  /** Highest event that may be sent: an end is sent only once it is on disk. */
  sendableSeq(): number;
  ackedSeq(): number;
  /** Since when the host has all of it; null while it does not. */
  settledAtMs(): number | null;
  report(): AttemptReport;
  /** Spools an event of the attempt's life. Should the disk refuse it, it is kept in memory and still sent. */
  appendLife(body: WorkerEventBody): void;
  /** Spools output; false when the disk refuses it, and then nothing was numbered. */
  appendOutput(bodies: readonly WorkerEventBody[]): boolean;
  /** Ends an attempt that an earlier worker process left: numbered after what the host has, which may be more than
   * reached this disk. Other phases: no effect. */
  finishInterrupted(hostHasSeq: number): void;
  /**
   * Lines from `from` to what is sendable: at once from memory, else from the file. Where the file turns out damaged, a
   * `finished` that says so takes the place of the first event that cannot be read, once the attempt has ended.
   */
  read(from: number, limits: ReadLimits): readonly SpooledLine[] | Promise<readonly SpooledLine[]>;
  /** The host has everything through `seq`. */
  ack(seq: number): void;
}

/** What an attempt's log starts from. */
export interface AttemptLogInit {
  readonly record: AcceptedRecord;
  readonly dir: string;
  readonly phase: AttemptPhase;
  readonly lastSeq: number;
  /** Bytes of the event file. */
  readonly size: number;
  /** For `settled`: since when. */
  readonly settledAtMs: number | null;
  /** More may be sent. */
  readonly onSendable: (log: AttemptLog) => void;
  /** Its file is damaged: an attempt that runs has to be ended. */
  readonly onDamaged: (log: AttemptLog) => void;
}

/** The log of one attempt over its folder, which exists already. */
export function createAttemptLog(
  init: AttemptLogInit,
  deps: { readonly clock: Clock; readonly log: WorkerLog },
): AttemptLog {
  const { record, dir } = init;
  const path = join(dir, ATTEMPT_FILES.events);
  const file = createEventFile(path, init.size, deps);
  const recent = createRecentLines();
  let phase = init.phase;
  let lastSeq = init.lastSeq;
  let heldBack = 0;
  let acked = phase === "settled" ? lastSeq : 0;
  let settledAtMs = init.settledAtMs;
  let position = SPOOL_START;
  /** The first event that cannot be read, and once the attempt has ended what is sent in its place. */
  let damagedSeq: number | null = null;
  let substitute: SpooledLine | null = null;

  const number = (bodies: readonly WorkerEventBody[]) =>
    bodies.map((body, i) => toSpooledLine({ seq: lastSeq + 1 + i, atMs: deps.clock.nowMs(), ...body }));
  const keep = (lines: readonly SpooledLine[]) => {
    for (const line of lines) recent.push(line);
    lastSeq = lines.at(-1)?.seq ?? lastSeq;
  };
  const toText = (lines: readonly SpooledLine[]) => lines.map((line) => `${line.line}\n`).join("");

  const noteDamage = (seq: number) => {
    if (damagedSeq !== null) return;
    damagedSeq = seq;
    deps.log.error("spool damaged", { attempt: self.key, path, seq });
    if (phase === "finished" || phase === "settled") substitute = toSubstitute(seq, path, deps.clock.nowMs());
    init.onDamaged(self);
  };
  const sendableSeq = () => substitute?.seq ?? (damagedSeq === null ? lastSeq - heldBack : damagedSeq - 1);

  const finish = () => {
    phase = "finished";
    if (damagedSeq !== null) substitute = toSubstitute(damagedSeq, path, deps.clock.nowMs());
    heldBack = 1;
    file.syncNow(() => {
      heldBack = 0;
      file.close();
      init.onSendable(self);
    });
  };

  const self: AttemptLog = {
    record,
    key: `${record.job}/${record.attempt}`,
    dir,
    phase: () => phase,
    lastSeq: () => substitute?.seq ?? lastSeq,
    sendableSeq,
    ackedSeq: () => acked,
    settledAtMs: () => settledAtMs,
    report: () => ({
      job: record.job,
      attempt: record.attempt,
      bodyHash: record.bodyHash,
      state: phase === "accepted" || phase === "running" ? phase : "finished",
      lastSeq: phase === "interrupted" ? lastSeq + 1 : self.lastSeq(),
    }),
    appendLife: (body) => {
      const lines = number([body]);
      if (!file.append(toText(lines)))
        deps.log.error("event kept in memory only", { attempt: self.key, type: body.type });
      keep(lines);
      if (body.type === "started") phase = "running";
      if (body.type === "finished") return finish();
      file.syncNow(() => {});
      init.onSendable(self);
    },
    appendOutput: (bodies) => {
      const lines = number(bodies);
      if (!file.append(toText(lines))) return false;
      keep(lines);
      file.syncSoon();
      init.onSendable(self);
      return true;
    },
    finishInterrupted: (hostHasSeq) => {
      if (phase !== "interrupted") return;
      lastSeq = Math.max(lastSeq, hostHasSeq);
      self.appendLife({
        type: "finished",
        outcome: {
          kind: "failed",
          error: { code: "interrupted", message: "the lane's worker ended while this attempt ran" },
          result: { exitCode: null, signal: null, stderrTail: "", truncated: false },
        },
      });
    },
    read: (from, limits) => {
      const until = sendableSeq();
      if (from > until) return [];
      if (substitute !== null && from === substitute.seq) return [substitute];
      const lines = recent.from(from, limits.events);
      if (lines !== null) {
        return takeLines(
          lines.filter((line) => line.seq <= until),
          limits,
        );
      }
      const at = position.seq === from ? position : SPOOL_START;
      // What the disk refused is in memory only; and a substitute is nowhere else.
      const last = Math.min(substitute === null ? until : until - 1, (recent.firstSeq() ?? Infinity) - 1);
      return readSpooled(path, at, { from, until: last }, limits).then((found) => {
        position = found.next;
        if (found.damaged) noteDamage(from + found.lines.length);
        return found.lines.length === 0 && substitute?.seq === from ? [substitute] : found.lines;
      });
    },
    ack: (seq) => {
      if (phase === "interrupted") return;
      const end = self.lastSeq();
      acked = Math.max(acked, Math.min(seq, end));
      recent.dropThrough(acked);
      if (phase !== "finished" || acked < end) return;
      phase = "settled";
      settledAtMs = deps.clock.nowMs();
      noteSettled(dir, { lastSeq: end, atMs: settledAtMs }, deps.log);
    },
  };
  return self;
}

/** Not synced: losing it only means that the end is offered to the host once more. */
function noteSettled(dir: string, settled: SettledRecord, log: WorkerLog): void {
  try {
    writeFileSync(join(dir, ATTEMPT_FILES.acked), JSON.stringify(settled), { mode: 0o600 });
  } catch (caught) {
    log.warn("ack not noted", { err: caught });
  }
}

function toSubstitute(seq: number, path: string, atMs: number): SpooledLine {
  const message = `event ${seq} cannot be read back from ${path} on the lane's volume: what came before it is whole, the rest is not known. Next: check the disk, then try the job again`;
  return toSpooledLine({
    seq,
    atMs,
    type: "finished",
    outcome: {
      kind: "failed",
      error: { code: "spool_corrupt", message },
      result: { exitCode: null, signal: null, stderrTail: "", truncated: true },
    },
  });
}
