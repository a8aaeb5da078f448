import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { systemClock } from "../base/index.ts";
import type { HostFrame, WorkerFrame } from "../protocol/index.ts";
import { BOOT_FILES, hostProofText } from "../protocol/link-terms.ts";
import { LINK_PROTOCOL } from "../protocol/versions.ts";
import { macOf } from "./link/handshake.ts";
import { createLog } from "./log.ts";
import { startWorker } from "./worker.ts";

const SECRET = "0".repeat(64);
const HASH = "0".repeat(64);
const NONCE = "0".repeat(32);

/**
 * Runs a worker against itself once, with folders of its own: readiness, the whole handshake, and one small command
 * job. What that compiles is what the build puts into the code cache. Rejects when any of it fails.
 */
export async function warmUp(who: { readonly uid: number; readonly gid: number; readonly pid: number }): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "lane-warm-up-"));
  const bootDir = join(root, "boot");
  const stateDir = join(root, "state");
  mkdirSync(bootDir);
  mkdirSync(stateDir);
  const facts = { laneId: "warm-up", laneName: "warm-up", workspaceId: "warm-up", generation: 1, build: HASH };
  const agent = { agentUid: who.uid, agentGid: who.gid };
  writeFileSync(join(bootDir, BOOT_FILES.bootstrap), JSON.stringify({ ...facts, ...agent }));
  writeFileSync(join(bootDir, BOOT_FILES.secret), SECRET);
  const worker = await startWorker({
    bootDir,
    stateDir,
    host: "127.0.0.1",
    port: 0,
    relayPort: 0,
    setpriv: "setpriv",
    placer: [],
    worker: who,
    env: {},
    clock: systemClock,
    log: createLog(() => {}),
  });
  try {
    await probe(worker.port);
    await runJob(worker.port);
  } finally {
    await worker.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

async function probe(port: number): Promise<void> {
  const request = get({ host: "127.0.0.1", port, path: `/readyz?nonce=${NONCE}`, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  if (response.statusCode !== 200) throw new Error(`readyz answered ${response.statusCode}`);
}

/** The host's part of a link, as short as it can be. */
async function runJob(port: number): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/link`, { perMessageDeflate: false });
  const send = (frame: HostFrame) => socket.send(JSON.stringify(frame));
  const attempt = { job: "warm-up", attempt: 1 } as const;
  const work = { argv: ["true"], env: {}, cwd: "/", stdin: null, deadlineMs: null, outputCapBytes: 1024 };
  const answer = (frame: WorkerFrame): boolean => {
    switch (frame.t) {
      case "challenge": {
        const text = hostProofText({ hostNonce: NONCE, workerNonce: frame.nonce, generation: 1 });
        send({ t: "proof", mac: macOf(SECRET, text) });
        return false;
      }
      case "welcome":
        send({ t: "resume", acked: {} });
        send({ t: "ping", id: 1 });
        send({ t: "start", id: 2, ...attempt, generation: 1, bodyHash: HASH, work });
        return false;
      case "events": {
        const last = frame.events.at(-1);
        if (last === undefined || last.type !== "finished") return false;
        send({ t: "ack", ...attempt, seq: last.seq });
        return true;
      }
      default:
        return false;
    }
  };
  socket.once("open", () => send({ t: "hello", protocol: LINK_PROTOCOL, generation: 1, nonce: NONCE }));
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Error(`the link was closed with ${code}`)));
    socket.on("message", (data) => {
      if (answer(JSON.parse(data.toString()) as WorkerFrame)) resolve();
    });
  });
  socket.close();
}
