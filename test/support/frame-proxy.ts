import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { HostFrame, WorkerFrame } from "../../internal/protocol/index.ts";
import { createFrameSplitter } from "./frame-splitter.ts";

/** What befalls a link on its way through a {@link FrameProxy}. */
export interface FrameWeather {
  /** How many events a new connection brings to the host; it is cut amid the frame that would bring more. */
  readonly eventsPerConnection: () => number;
  /** Is the acknowledgement of `seq` lost? */
  readonly losesAck: (seq: number) => boolean;
}

/** What has happened so far. */
export interface FrameFigures {
  readonly cuts: number;
  readonly acks: number;
  readonly lostAcks: number;
  /** Events in frames that reached the host whole, each as often as it came. */
  readonly events: number;
}

/** A TCP proxy on loopback between the host and a worker, which knows the frames of the link. */
export interface FrameProxy extends AsyncDisposable {
  readonly endpoint: string;
  figures(): FrameFigures;
  /** Cuts what is open; from now on everything passes. */
  calm(): void;
}

/** Starts a proxy to the worker at `endpoint`. */
export async function startFrameProxy(endpoint: string, weather: FrameWeather): Promise<FrameProxy> {
  const port = Number(new URL(endpoint).port);
  const ends = new Set<() => void>();
  const seen = { cuts: 0, acks: 0, lostAcks: 0, events: 0 };
  let isCalm = false;

  const pass = (host: Socket) => {
    const worker = connect(port, "127.0.0.1");
    let left = isCalm ? Infinity : weather.eventsPerConnection();
    let over = false;
    const end = () => {
      over = true;
      host.destroy();
      worker.destroy();
      ends.delete(end);
    };
    ends.add(end);
    for (const socket of [host, worker]) socket.on("error", end).on("close", end);
    const toHost = createFrameSplitter((bytes, text) => {
      if (over) return;
      const count = countEvents(text);
      if (count > left) {
        over = true;
        seen.cuts++;
        // Half of a frame: the host has to do without all of it.
        host.write(bytes.subarray(0, bytes.length / 2), end);
        return;
      }
      left -= count;
      seen.events += count;
      host.write(bytes);
    });
    const toWorker = createFrameSplitter((bytes, text) => {
      if (over) return;
      const frame = text === null ? null : (JSON.parse(text) as HostFrame);
      const isLost = frame?.t === "ack" && !isCalm && weather.losesAck(frame.seq);
      if (frame?.t === "ack") seen.acks++;
      if (isLost) seen.lostAcks++;
      else worker.write(bytes);
    });
    worker.on("data", toHost);
    host.on("data", toWorker);
  };
  const endAll = () => {
    for (const end of ends) end();
  };
  const server = createServer(pass);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    figures: () => ({ ...seen }),
    calm: () => {
      isCalm = true;
      endAll();
    },
    [Symbol.asyncDispose]: async () => {
      endAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function countEvents(text: string | null): number {
  if (text === null) return 0;
  const frame = JSON.parse(text) as WorkerFrame;
  return frame.t === "events" ? frame.events.length : 0;
}
