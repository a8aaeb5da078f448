import { randomHex, throwIfAborted, withDeadline } from "../base/index.ts";
import { type AttemptReport, LINK_HANDSHAKE_MS, type WorkerFrame } from "../protocol/index.ts";
import { type FrameSocket, openFrameSocket } from "./frame-socket.ts";
import { type Challenge, judgeChallenge, toHello } from "./host-handshake.ts";
import { impostor, misfit, refused, toOpenError, unreachable } from "./link-errors.ts";
import { createOpenLink } from "./open-worker-link.ts";
import type { OpenLinkOptions, WorkerLink } from "./worker-link.ts";

/**
 * Opens a link: mutual proof, then the worker's account of its attempts, then the replay of what was not acknowledged.
 * Resolves once `resume` is sent. Nothing secret leaves before the worker has proven itself.
 * @throws worker.unreachable (retryable), worker.impostor, worker.protocol, worker.refused (another generation, build
 * or version; `details.code` says which), or the signal's reason
 */
export async function openLink(options: OpenLinkOptions): Promise<WorkerLink> {
  const { laneId, signal } = options;
  throwIfAborted(signal);
  const makeError = () => unreachable(laneId, `the link was not open after ${LINK_HANDSHAKE_MS} ms`);
  return withDeadline({ ms: LINK_HANDSHAKE_MS, signal, makeError }, async (within) => {
    const socket = openFrameSocket(options.endpoint);
    const giveUp = () => socket.terminate();
    within.addEventListener("abort", giveUp, { once: true });
    try {
      const { challenge, attempts } = await shakeHands(socket, options);
      const acked = await options.getAcked(attempts);
      throwIfAborted(within);
      const link = createOpenLink(socket, { challenge, attempts }, options);
      // Should the socket break just now, the link itself says so.
      socket.send({ t: "resume", acked: { ...acked } }).catch(() => {});
      return link;
    } catch (caught) {
      socket.terminate();
      throw toOpenError(laneId, caught);
    } finally {
      within.removeEventListener("abort", giveUp);
    }
  });
}

async function shakeHands(
  socket: FrameSocket,
  options: OpenLinkOptions,
): Promise<{ readonly challenge: Challenge; readonly attempts: readonly AttemptReport[] }> {
  const { laneId } = options;
  await socket.opened;
  const nonce = randomHex(16);
  await socket.send(toHello(options, nonce));
  const challenge = expect(await socket.next(), "challenge", laneId);
  const verdict = judgeChallenge(challenge, nonce, options);
  if (verdict.kind === "impostor") throw impostor(laneId, options.endpoint);
  if (verdict.kind === "refused") throw refused(laneId, verdict.word, verdict.reason);
  await socket.send(verdict.proof);
  const { attempts } = expect(await socket.next(), "welcome", laneId);
  return { challenge, attempts };
}

function expect<T extends WorkerFrame["t"]>(frame: WorkerFrame, t: T, laneId: string) {
  if (frame.t !== t) throw misfit(laneId, `${frame.t} where ${t} was expected`);
  return frame as Extract<WorkerFrame, { readonly t: T }>;
}
