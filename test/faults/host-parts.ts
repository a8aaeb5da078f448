import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { systemClock } from "../../internal/base/index.ts";
import { createWorkerLinks } from "../../internal/daemon/worker-links.ts";
import {
  createCommandResolver,
  createDispatcher,
  DEFAULT_POLICY,
  type Dispatcher,
} from "../../internal/dispatch/index.ts";
import { openStore, type Store } from "../../internal/store/index.ts";
import { recordLane } from "../bench/stored-jobs.ts";
import { TEST_WORKER } from "../support/worker-process.ts";

/** The parts of the daemon that a job's events pass: store, dispatcher, links. Of the lane there is only the worker. */
export interface HostParts extends AsyncDisposable {
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  /** Aborts when the worker is blamed for a breach of the protocol: the link of an honest one is never dropped. */
  readonly broken: AbortSignal;
  /** Opens the link to the worker of generation 1, again whenever it is gone. Resolves after `signal`. */
  keepLinked(endpoint: string, opts: { readonly signal: AbortSignal }): Promise<void>;
}

/** Makes the parts over a store in `dir`, with the lane of the test workers on record. */
export function openHostParts(dir: string): HostParts {
  mkdirSync(dir, { recursive: true });
  const laneId = TEST_WORKER.laneId;
  const store = openStore({ path: join(dir, "store.db"), nowMs: Date.now });
  recordLane(store, laneId);
  const broken = new AbortController();
  let hangUp = (_: string) => {};
  const commands = createCommandResolver({ outputCapBytes: DEFAULT_POLICY.outputCapBytes });
  const dispatcher = createDispatcher({
    store,
    clock: systemClock,
    log: pino({ level: "silent" }),
    redact: (text) => text,
    // There is no worktree.
    work: { ...commands, resolve: async (job, opts) => ({ ...(await commands.resolve(job, opts)), cwd: dir }) },
    freeMemoryBytes: () => null,
    policy: DEFAULT_POLICY,
    onActivity: () => undefined,
    dropLink: (_, error) => {
      broken.abort(error);
      hangUp(error.message);
    },
  });
  const links = createWorkerLinks({
    getAcked: (lane) => dispatcher.getAcked(lane),
    onEvents: (...args) => dispatcher.onEvents(...args),
    onLaneCall: async () => ({ status: 501, contentType: "text/plain", body: "" }),
    onLost: () => undefined,
  });
  return {
    store,
    dispatcher,
    broken: broken.signal,
    keepLinked: async (endpoint, { signal }) => {
      const target = { laneId, endpoint, generation: 1, secret: TEST_WORKER.secret };
      signal.addEventListener("abort", () => hangUp("the test is over"), { once: true });
      while (!signal.aborted) {
        const link = await links.open(target, { signal }).catch(() => null);
        if (link === null) continue;
        hangUp = link.close;
        dispatcher.attachLink(link);
        await link.closed;
        dispatcher.detachLink(laneId, link);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await dispatcher[Symbol.asyncDispose]();
      links[Symbol.dispose]();
      store.close();
    },
  };
}
