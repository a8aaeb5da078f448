import type { Clock } from "../../base/index.ts";
import type { CredentialFile, HostFrame } from "../../protocol/index.ts";
import { HEARTBEAT_EVERY_MS, HEARTBEAT_SILENCE_MS, LINK_CLOSE } from "../../protocol/link-terms.ts";
import type { JobReply, Jobs } from "../jobs/index.ts";
import type { WorkerLog } from "../log.ts";
import type { Credentials } from "../placement/credentials.ts";
import type { GitReply, HostGit } from "../private-git/lane-git.ts";
import type { HostCalls } from "../relay/host-calls.ts";
import type { AttemptLog, Spool } from "../spool/index.ts";
import { createEventSender, type EventSender, type SendStart } from "./event-sender.ts";
import type { HostLink } from "./host-link.ts";

/** What a proven link works on. */
export interface SessionDeps {
  readonly clock: Clock;
  readonly log: WorkerLog;
  readonly spool: Spool;
  readonly jobs: Jobs;
  readonly credentials: Credentials;
  readonly git: HostGit;
  readonly calls: HostCalls;
}

/** The worker's end of a proven link. */
export interface LinkSession {
  onFrame(frame: HostFrame): void;
  /** More of this attempt may be sent. */
  notify(attempt: AttemptLog): void;
  /** The socket is gone, or another link took over. */
  end(): void;
}

/** A welcome must fit a frame; the oldest settled attempts are left out first. */
const WELCOME_ATTEMPTS = 4000;

/** Begins a session: says welcome, and streams once the host has said what it has. */
export function startSession(link: HostLink, deps: SessionDeps): LinkSession {
  const { clock, log, spool, jobs, credentials, git, calls } = deps;
  let sender: EventSender | null = null;
  let lastHeardMs = clock.monotonicMs();
  let ended = false;

  const drop = (frame: HostFrame) => link.close(LINK_CLOSE.protocol, `${frame.t} does not fit here`);
  const reply = async (id: number, result: Promise<JobReply>) => link.send({ t: "reply", id, result: await result });
  const place = async (id: number, files: readonly CredentialFile[]) =>
    link.send({ t: "credentials.reply", id, result: await credentials.deliver(files) });
  const readBack = async (id: number, paths: readonly string[]) =>
    link.send({ t: "credentials.content", id, result: await credentials.read(paths) });
  const tell = async (id: number, result: Promise<GitReply>) => link.send({ t: "git.reply", id, result: await result });
  const resume = (acked: Readonly<Record<string, number>>) => {
    const starts: SendStart[] = [];
    for (const attempt of spool.list()) {
      const named = Object.hasOwn(acked, attempt.key) ? acked[attempt.key] : undefined;
      attempt.finishInterrupted(named ?? 0);
      attempt.ack(named ?? 0);
      // The host's word counts: it may have less than it once acknowledged.
      const has = named ?? attempt.ackedSeq();
      if (has < attempt.lastSeq() || attempt.settledAtMs() === null) starts.push({ attempt, nextSeq: has + 1 });
    }
    sender = createEventSender(link, starts, {
      pressure: jobs.setPaused,
      failed: (err) => {
        log.error("events not sent", { err });
        link.close(LINK_CLOSE.protocol, "the spool could not be read");
      },
    });
  };
  const beat = () => {
    if (ended) return;
    // After a pause of the whole process the host's frames wait unread: let them be read before judging.
    if (clock.monotonicMs() - lastHeardMs > HEARTBEAT_SILENCE_MS) setImmediate(() => setImmediate(judgeSilence));
    // An idle worker says nothing by itself: the host's pings are answered, and twenty lanes would make twenty wake-ups.
    const running = jobs.running().slice(0, 64);
    if (running.length > 0) link.send({ t: "heartbeat", running });
    cancelBeat = clock.timer(HEARTBEAT_EVERY_MS, beat);
  };
  const judgeSilence = () => {
    if (clock.monotonicMs() - lastHeardMs > HEARTBEAT_SILENCE_MS) link.close(LINK_CLOSE.silence, "the host is silent");
  };
  let cancelBeat = clock.timer(HEARTBEAT_EVERY_MS, beat);

  link.send({ t: "welcome", attempts: chooseWelcome(spool.list()).map((attempt) => attempt.report()) });
  calls.attach(link);
  return {
    onFrame: (frame) => {
      lastHeardMs = clock.monotonicMs();
      switch (frame.t) {
        case "ping":
          return link.send({ t: "pong", id: frame.id });
        case "resume":
          return sender === null ? resume(frame.acked) : drop(frame);
        case "start":
          return void reply(frame.id, jobs.start(frame));
        case "cancel":
          return void reply(frame.id, jobs.cancel(frame.job, frame.attempt));
        case "credentials":
          return void place(frame.id, frame.files);
        case "credentials.read":
          return void readBack(frame.id, frame.paths);
        case "git.fetch":
          return void tell(frame.id, git.fetch(frame));
        case "git.read":
          return void tell(frame.id, git.read(frame.offset));
        case "git.advance":
          return void tell(frame.id, git.advance(frame));
        case "git.look":
          return void tell(frame.id, git.look());
        case "ack":
          return spool.find(frame.job, frame.attempt)?.ack(frame.seq);
        case "api.response":
          return calls.onResponse(frame);
        default:
          return drop(frame);
      }
    },
    notify: (attempt) => sender?.notify(attempt),
    end: () => {
      if (ended) return;
      ended = true;
      cancelBeat();
      sender?.close();
      calls.detach(link);
    },
  };
}

function chooseWelcome(attempts: readonly AttemptLog[]): readonly AttemptLog[] {
  if (attempts.length <= WELCOME_ATTEMPTS) return attempts;
  const settled = attempts.filter((attempt) => attempt.settledAtMs() !== null);
  const dropped = new Set(settled.slice(0, attempts.length - WELCOME_ATTEMPTS));
  return attempts.filter((attempt) => !dropped.has(attempt));
}
