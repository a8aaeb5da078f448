import { AppError, systemClock, toError } from "../base/index.ts";
import {
  type AttemptReport,
  HEARTBEAT_EVERY_MS,
  HEARTBEAT_SILENCE_MS,
  type HostFrame,
  LINK_CLOSE,
  LINK_FRAME_MAX_BYTES,
  type WorkerFrame,
} from "../protocol/index.ts";
import type { FrameSocket, SocketEnd } from "./frame-socket.ts";
import type { Challenge } from "./host-handshake.ts";
import { createLaneCalls } from "./lane-calls.ts";
import { misfit, refused, unreachable } from "./link-errors.ts";
import { createPendingReplies } from "./pending-replies.ts";
import type { CallOptions, LinkEnd, OpenLinkOptions, WorkerLink } from "./worker-link.ts";

type Reply = Extract<WorkerFrame, { readonly t: "reply" }>["result"];
type CredentialReply = Extract<WorkerFrame, { readonly t: "credentials.reply" }>["result"];
type ContentReply = Extract<WorkerFrame, { readonly t: "credentials.content" }>["result"];
type GitReply = Extract<WorkerFrame, { readonly t: "git.reply" }>["result"];
type GitAsked = DistributiveOmit<Extract<HostFrame, { readonly t: `git.${string}` }>, "id">;
type Asked = DistributiveOmit<Extract<HostFrame, { readonly t: "start" | "cancel" }>, "id">;
type DistributiveOmit<T, K extends string> = T extends unknown ? Omit<T, K> : never;

/** A frame's own number, once it has one. */
const ID_ROOM = 32;

/** The link over a socket whose worker has proven itself; takes all frames from now on. */
export function createOpenLink(
  socket: FrameSocket,
  proven: { readonly challenge: Challenge; readonly attempts: readonly AttemptReport[] },
  { laneId, on, clock = systemClock }: Pick<OpenLinkOptions, "laneId" | "on" | "clock">,
): WorkerLink {
  const { generation, pid, boot, build, spool } = proven.challenge;
  const replies = createPendingReplies<Reply>();
  const pongs = createPendingReplies<null>();
  const deliveries = createPendingReplies<CredentialReply>();
  const readings = createPendingReplies<ContentReply>();
  const gitReplies = createPendingReplies<GitReply>();
  const send = (frame: HostFrame) => void socket.send(frame).catch(() => {});
  const calls = createLaneCalls(on.apiRequest, send);
  let lastHeardMs = clock.monotonicMs();
  let isOver = false;
  let resolveClosed: (reason: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    resolveClosed = resolve;
  });

  let lastPingMs = Number.NEGATIVE_INFINITY;

  const end = (how: LinkEnd) => {
    if (isOver) return;
    isOver = true;
    cancelBeat();
    const error = how.error ?? unreachable(laneId, how.reason);
    replies.end(error);
    pongs.end(error);
    deliveries.end(error);
    readings.end(error);
    gitReplies.end(error);
    calls.end();
    resolveClosed(how.reason);
    on.closed(how);
  };
  const ask = async (frame: Asked, opts: CallOptions): Promise<AttemptReport> => {
    const bytes = Buffer.byteLength(JSON.stringify(frame)) + ID_ROOM;
    if (bytes > LINK_FRAME_MAX_BYTES) throw tooLarge("a job", bytes, "put long input into a file of the worktree");
    const result = await replies.request((id) => socket.send({ ...frame, id } as HostFrame), opts);
    if (result.kind === "refused") throw refused(laneId, result.error.code, result.error.message);
    return result.attempt;
  };
  const deliverCredentials: WorkerLink["deliverCredentials"] = async (files, opts) => {
    const frame = { t: "credentials" as const, files: [...files] };
    const bytes = Buffer.byteLength(JSON.stringify(frame)) + ID_ROOM;
    if (bytes > LINK_FRAME_MAX_BYTES) throw tooLarge("credentials", bytes, "keep only login files in the folder");
    const result = await deliveries.request((id) => socket.send({ ...frame, id }), opts);
    if (result.kind === "refused") throw refused(laneId, result.error.code, result.error.message);
    return result.manifest;
  };
  const readCredentials: WorkerLink["readCredentials"] = async (paths, opts) => {
    const result = await readings.request((id) => socket.send({ t: "credentials.read", id, paths: [...paths] }), opts);
    if (result.kind === "refused") throw refused(laneId, result.error.code, result.error.message);
    return result.files;
  };
  const askGit = async <K extends GitReply["kind"]>(frame: GitAsked, kind: K, opts: CallOptions) => {
    const result = await gitReplies.request((id) => socket.send({ ...frame, id } as HostFrame), opts);
    if (result.kind === "refused") throw refused(laneId, result.error.code, result.error.message);
    if (result.kind === kind) return result as Extract<GitReply, { readonly kind: K }>;
    throw misfit(laneId, `${result.kind} where ${kind} was expected`);
  };
  const git: WorkerLink["git"] = {
    fetch: ({ branch, have }, opts) => askGit({ t: "git.fetch", branch, have: [...have] }, "tip", opts),
    read: async (offset, opts) =>
      Buffer.from((await askGit({ t: "git.read", offset }, "piece", opts)).base64, "base64"),
    advance: async (move, opts) => {
      await askGit({ t: "git.advance", ...move }, "moved", opts);
    },
    look: (opts) => askGit({ t: "git.look" }, "holdings", opts),
  };
  const ping = async (opts: CallOptions): Promise<number> => {
    const sentAtMs = clock.monotonicMs();
    lastPingMs = sentAtMs;
    await pongs.request((id) => socket.send({ t: "ping", id }), opts);
    return clock.monotonicMs() - sentAtMs;
  };
  const onFrame = (frame: WorkerFrame): void => {
    switch (frame.t) {
      case "events":
        on.events(frame);
        break;
      case "reply":
        if (!replies.settle(frame.id, frame.result)) socket.cut("a reply to nothing that was asked");
        break;
      case "credentials.reply":
        if (!deliveries.settle(frame.id, frame.result)) socket.cut("an answer to no delivery of credentials");
        break;
      case "credentials.content":
        if (!readings.settle(frame.id, frame.result)) socket.cut("an answer to no question for credentials");
        break;
      case "git.reply":
        if (!gitReplies.settle(frame.id, frame.result)) socket.cut("an answer to no question for git");
        break;
      case "pong":
        if (!pongs.settle(frame.id, null)) socket.cut("a pong to no ping");
        break;
      case "heartbeat":
        on.heartbeat(frame.running);
        break;
      case "api.request":
        calls.onRequest(frame);
        break;
      case "api.cancel":
        calls.onCancel(frame.id);
        break;
      default:
        socket.cut(`${frame.t} on an open link`);
    }
  };
  const judgeSilence = () => {
    if (isOver || clock.monotonicMs() - lastHeardMs <= HEARTBEAT_SILENCE_MS) return;
    const reason = `silent for ${HEARTBEAT_SILENCE_MS / 1000} s`;
    end({ kind: "lost", reason, error: unreachable(laneId, reason) });
    socket.terminate();
  };
  const beat = () => {
    // After a pause of this process the worker's frames wait unread: let them be read before judging.
    if (clock.monotonicMs() - lastHeardMs > HEARTBEAT_SILENCE_MS) setImmediate(() => setImmediate(judgeSilence));
    // Whoever asks keeps the link alive: the supervisor does so more often.
    if (clock.monotonicMs() - lastPingMs >= HEARTBEAT_EVERY_MS) ping({}).catch(() => {});
    cancelBeat = clock.timer(HEARTBEAT_EVERY_MS, beat);
  };
  let cancelBeat = clock.timer(HEARTBEAT_EVERY_MS, beat);

  socket.deliverTo({
    frame: (frame) => {
      if (isOver) return;
      lastHeardMs = clock.monotonicMs();
      try {
        onFrame(frame);
      } catch (caught) {
        const reason = `a handler of the link failed: ${toError(caught).message}`;
        end({ kind: "dropped", reason, error: new AppError({ code: "internal.bug", message: reason, cause: caught }) });
        socket.terminate();
      }
    },
    ended: (how) => end(toLinkEnd(laneId, how)),
  });
  return {
    laneId,
    generation,
    pid,
    boot,
    build,
    spool,
    attempts: proven.attempts,
    start: (job, attempt, bodyHash, work, opts) => ask({ t: "start", job, attempt, generation, bodyHash, work }, opts),
    cancel: (job, attempt, opts) => ask({ t: "cancel", job, attempt }, opts),
    deliverCredentials,
    readCredentials,
    git,
    ack: (job, attempt, seq) => send({ t: "ack", job, attempt, seq }),
    ping,
    close: (reason) => {
      // A close frame holds 123 bytes.
      socket.close(LINK_CLOSE.normal, reason.slice(0, 40));
      end({ kind: "closed", reason, error: null });
    },
    closed,
  };
}

function toLinkEnd(laneId: string, end: SocketEnd): LinkEnd {
  if (end.kind === "misfit") return { kind: "dropped", reason: end.reason, error: misfit(laneId, end.reason) };
  const reason = end.error?.message ?? (end.reason || `the connection ended (${end.code})`);
  return { kind: "lost", reason, error: unreachable(laneId, reason, end.error ?? undefined) };
}

function tooLarge(what: string, bytes: number, hint: string): AppError {
  return new AppError({
    code: "request.too_large",
    message: `${what} of ${bytes} bytes does not fit a frame of ${LINK_FRAME_MAX_BYTES}`,
    hint,
  });
}
