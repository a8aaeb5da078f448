import type { WorkerEvent, WorkerOutcome } from "../../internal/job/index.ts";
import type { StartWork } from "../../internal/protocol/index.ts";
import { type LinkEnd, type LinkHandlers, openLink, type WorkerLink } from "../../internal/workerlink/index.ts";
import { TEST_WORKER, type WorkerProcess } from "./worker-process.ts";

/** What a host would keep of a worker's jobs: each event once, acknowledged as it comes. */
export interface HostRecord {
  /** Events of `<job>/<attempt>`, as they came. */
  events(key: string): readonly WorkerEvent[];
  acked(): Record<string, number>;
  /** Resolves with the outcome. */
  finished(key: string): Promise<WorkerOutcome>;
  /** Resolves once an event of the attempt fits. */
  until(key: string, fits: (event: WorkerEvent) => boolean): Promise<WorkerEvent>;
  take(batch: { readonly job: string; readonly attempt: number; readonly events: readonly WorkerEvent[] }): void;
}

/** An empty record. */
export function createHostRecord(): HostRecord {
  const events = new Map<string, WorkerEvent[]>();
  let waiting: (() => void)[] = [];
  const until = async (key: string, fits: (event: WorkerEvent) => boolean): Promise<WorkerEvent> => {
    for (;;) {
      const found = events.get(key)?.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return {
    events: (key) => events.get(key) ?? [],
    acked: () => Object.fromEntries([...events].map(([key, list]) => [key, list.at(-1)?.seq ?? 0])),
    until,
    finished: async (key) => {
      const event = await until(key, ({ type }) => type === "finished");
      if (event.type !== "finished") throw new Error("unreachable");
      return event.outcome;
    },
    take: (batch) => {
      const key = `${batch.job}/${batch.attempt}`;
      events.set(key, [...(events.get(key) ?? []), ...batch.events]);
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
  };
}

/** Opens a link to a test worker; events go into `record` and are acknowledged. */
export function linkTo(
  worker: Pick<WorkerProcess, "endpoint" | "generation">,
  record: HostRecord,
  opts: {
    readonly on?: Partial<LinkHandlers> | undefined;
    readonly ack?: boolean | undefined;
    readonly generation?: number | undefined;
    readonly secret?: string | undefined;
    readonly build?: string | null | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<WorkerLink> {
  let link: WorkerLink | null = null;
  const opened = openLink({
    endpoint: worker.endpoint,
    laneId: TEST_WORKER.laneId,
    generation: opts.generation ?? worker.generation,
    secret: opts.secret ?? TEST_WORKER.secret,
    build: opts.build === undefined ? TEST_WORKER.build : opts.build,
    signal: opts.signal,
    getAcked: () => record.acked(),
    on: {
      events: (batch) => {
        record.take(batch);
        const last = batch.events.at(-1);
        if (opts.ack !== false && last !== undefined) link?.ack(batch.job, batch.attempt, last.seq);
      },
      heartbeat: () => {},
      apiRequest: async () => ({ status: 501, contentType: "text/plain", body: "" }),
      closed: (_end: LinkEnd) => {},
      ...opts.on,
    },
  });
  void opened.then(
    (it) => {
      link = it;
    },
    () => {},
  );
  return opened;
}

/** A command job. */
export function command(argv: readonly string[], more: Partial<StartWork> = {}): StartWork {
  return { argv: [...argv], env: {}, cwd: "/tmp", stdin: null, deadlineMs: null, outputCapBytes: 1 << 20, ...more };
}

/** A shell script as a command job. */
export function script(text: string, more: Partial<StartWork> = {}): StartWork {
  return command(["/bin/sh", "-c", text], more);
}

/** Everything of one stream, byte for byte. */
export function outputOf(events: readonly WorkerEvent[], stream: "stdout" | "stderr"): Buffer {
  const parts = events.map((event) => {
    if (event.type !== "output" || event.stream !== stream) return Buffer.alloc(0);
    return "text" in event ? Buffer.from(event.text) : Buffer.from(event.base64, "base64");
  });
  return Buffer.concat(parts);
}
