/**
 * The worker link: one WebSocket `/v1/link`, opened by the host. Text frames of JSON, one object each, at most
 * {@link LINK_FRAME_MAX_BYTES}; compression off. Everything from inside a lane is hostile input: the host parses every
 * frame with the schemas of `link.ts` and drops the link on the first one that does not fit.
 *
 * Opening (the secret itself never crosses the wire; `mac` = HMAC-SHA-256 under the lane's secret, hex):
 *
 *   host   -> hello      {protocol, generation, nonce}
 *   worker -> challenge  {protocol, generation, nonce, build, boot, spool, pid, mac over "worker"}
 *   host   -> proof      {mac over "host"}
 *   worker -> welcome    {attempts}
 *   host   -> resume     {acked: {"<job>/<attempt>": seq}}      the worker replays from there, then streams
 *
 * This file is kept free of zod, which takes 15 ms to load: the worker imports it directly while it boots, and the
 * schemas only once it is ready.
 */

/** Largest frame in both directions. */
export const LINK_FRAME_MAX_BYTES = 1024 * 1024;

/** At most this many events share a frame (design section 6). */
export const LINK_EVENTS_PER_FRAME = 64;

/** Producers pause when this much is buffered on the socket. */
export const LINK_BACKPRESSURE_BYTES = 1024 * 1024;

/** Both sides send a heartbeat this often. */
export const HEARTBEAT_EVERY_MS = 10_000;

/** Silence that closes the link. */
export const HEARTBEAT_SILENCE_MS = 30_000;

/** From the upgrade to `welcome`; then the socket is closed. */
export const LINK_HANDSHAKE_MS = 5000;

/** Close codes of the link, both directions. */
export const LINK_CLOSE = {
  /** The other side's silence. */
  silence: 4000,
  /** A frame that does not fit. */
  protocol: 4400,
  /** The proof is wrong. */
  unauthorized: 4401,
  /** Hello and proof did not come in time. */
  handshakeTimeout: 4408,
  /** This worker belongs to another generation. */
  generation: 4409,
  /** A newer authenticated link took over. */
  replaced: 4410,
  /** Another version of the link. */
  version: 4426,
  /** Too many sockets wait for their proof. */
  busy: 4429,
  /** The worker is ending. */
  stopping: 1001,
  /** Closed on purpose by the host. */
  normal: 1000,
} as const;

/** What one delivery of credentials may hold: in base64 it fits a frame. */
export const CREDENTIAL_LIMITS = { files: 64, fileBytes: 256 * 1024, totalBytes: 512 * 1024, pathBytes: 512 } as const;

/** Files of the lane that one frame may ask for, so that the answer fits a frame. */
export const CREDENTIAL_READ_MAX = 8;

/** Of a lane's commits on their way to the host: the largest bundle, one piece of it, how many tips and branches are named. */
export const GIT_LIMITS = { bundleBytes: 256 * 1024 * 1024, pieceBytes: 512 * 1024, tips: 8, branches: 200 } as const;

/**
 * What an agent's event may hold: UTF-16 units of a text and of a name, entries of a list. The worker cuts to these
 * before it spools.
 */
export const AGENT_LIMITS = { text: 65_536, name: 1024, list: 256 } as const;

/** One name on a credential's path: room is left below the 255 bytes of a file system for the name of a draft. */
const CREDENTIAL_NAME_BYTES = 200;

/**
 * May a credential have this path, relative to the agent's home? No way up or out, no control characters (they would
 * also reach logs), nothing that is not UTF-8 (it reads as U+FFFD).
 */
export function isCredentialPath(path: string): boolean {
  const utf8 = new TextEncoder();
  if (utf8.encode(path).length > CREDENTIAL_LIMITS.pathBytes || /[\p{Cc}\p{Cs}\ufffd]/u.test(path)) return false;
  return path
    .split("/")
    .every((name) => name !== "" && name !== "." && name !== ".." && utf8.encode(name).length <= CREDENTIAL_NAME_BYTES);
}

/** The text whose HMAC proves the worker to the host. */
export function workerProofText(f: {
  readonly hostNonce: string;
  readonly workerNonce: string;
  readonly generation: number;
  readonly build: string;
  readonly boot: string;
  readonly spool: string;
}): string {
  return ["lanekeeper-link-1", "worker", f.hostNonce, f.workerNonce, f.generation, f.build, f.boot, f.spool].join("\n");
}

/** The text whose HMAC proves the host to the worker. */
export function hostProofText(f: {
  readonly hostNonce: string;
  readonly workerNonce: string;
  readonly generation: number;
}): string {
  return ["lanekeeper-link-1", "host", f.workerNonce, f.hostNonce, f.generation].join("\n");
}

/** The text whose HMAC answers `GET /readyz?nonce=`. */
export function readyProofText(f: {
  readonly nonce: string;
  readonly generation: number;
  readonly build: string;
}): string {
  return ["lanekeeper-ready-1", f.nonce, f.generation, f.build].join("\n");
}

/** File names inside the bootstrap folder. */
export const BOOT_FILES = { bootstrap: "bootstrap.json", secret: "secret" } as const;
