import type { Logger } from "pino";
import { hasCode, systemClock, TaskGroup, withDeadline } from "../../base/index.ts";
import { isNewerLogin, type Login, type LoginOwner, writeLoginBack } from "../../credentials/index.ts";
import type { DaemonLink } from "../worker-links.ts";
import { failedDelivery } from "./deliver-credentials.ts";

/** A login whose file lanes hold. */
export type HeldLogin = readonly [owner: LoginOwner, login: Login];

/** What agents in lanes have renewed of the logins that they were given. */
export interface RenewedLogins extends AsyncDisposable {
  /**
   * Looks what the lane has, and resolves with the contents that are newer than the host's, by path: those must not be
   * replaced. Where it is configured they are brought back to the host before. @throws credentials.failed (retryable)
   */
  collect(link: DaemonLink, opts: { readonly signal?: AbortSignal | undefined }): Promise<ReadonlyMap<string, Buffer>>;
  /** As {@link collect}, of every lane that has a link. What fails is logged. */
  collectAll(): Promise<void>;
  /** Something happens in the lane: where it is configured, it is looked at when that is over. */
  noteActivity(laneId: string): void;
}

/** What {@link RenewedLogins} works with. */
export interface RenewedDeps {
  /** Logins that lanes hold now, of those that a renewal makes void elsewhere. */
  readonly held: () => readonly HeldLogin[];
  readonly writesBack: (agent: string) => boolean;
  /** Workers of other builds may not know the question. */
  readonly workerBuild: string;
  /** Found in a lane: secret as well. */
  readonly onFound: (login: Login) => void;
  readonly log: Logger;
}

/** The worker's own limit comes first. */
const READ_MS = 10_000;
/** So long after the last sign of activity it is over; an agent renews its login when it starts. */
const QUIET_MS = 1000;

/** Nothing is looked at yet. */
export function createRenewedLogins(deps: RenewedDeps): RenewedLogins {
  const { log } = deps;
  const links = new Map<string, DaemonLink>();
  const timers = new Map<string, () => void>();
  const ended = new AbortController();
  const tasks = new TaskGroup((_, err) => log.warn({ err }, "a lane's logins could not be looked at"));
  let lastWrite: Promise<unknown> = Promise.resolve();

  /** One after the other: each has to see what the one before it has written. */
  const writeBack = (laneId: string, { name: agent }: LoginOwner, login: Login, content: Buffer): Promise<void> => {
    const write = lastWrite.then(async () => {
      try {
        const written = await writeLoginBack(agent, login, { content, nowMs: systemClock.nowMs() });
        if (written) log.info({ agent, lane: laneId, file: login.source }, "renewed login brought back from a lane");
      } catch (err) {
        log.warn({ agent, lane: laneId, err }, "renewed login not brought back");
      }
    });
    lastWrite = write;
    return write;
  };
  const collect: RenewedLogins["collect"] = async (link, { signal }) => {
    const newer = new Map<string, Buffer>();
    if (links.get(link.laneId) !== link) {
      links.set(link.laneId, link);
      void link.closed.then(() => links.get(link.laneId) === link && links.delete(link.laneId));
    }
    const held = deps.held();
    if (held.length === 0 || link.build !== deps.workerBuild) return newer;
    for (const { path, base64 } of await read(link, held, signal)) {
      const found = held.find(([, login]) => login.file?.path === path);
      if (!found) continue;
      const [owner, login] = found;
      const content = Buffer.from(base64, "base64");
      if (!isNewerLogin(owner.name, login, content, systemClock.nowMs())) continue;
      deps.onFound({ ...login, file: { path, content } });
      newer.set(path, content);
      if (deps.writesBack(owner.name)) await writeBack(link.laneId, owner, login, content);
    }
    return newer;
  };
  const collectFrom = async (link: DaemonLink): Promise<void> => {
    await collect(link, { signal: ended.signal }).catch((err: unknown) => {
      if (!ended.signal.aborted) log.warn({ lane: link.laneId, err }, "a lane's logins could not be looked at");
    });
  };
  return {
    collect,
    collectAll: async () => void (await Promise.all([...links.values()].map(collectFrom))),
    noteActivity: (laneId) => {
      if (ended.signal.aborted || !deps.held().some(([{ name }]) => deps.writesBack(name))) return;
      timers.get(laneId)?.();
      const look = () => {
        timers.delete(laneId);
        const link = links.get(laneId);
        if (link) tasks.run("collect", () => collectFrom(link));
      };
      timers.set(laneId, systemClock.timer(QUIET_MS, look));
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      for (const cancel of timers.values()) cancel();
      await tasks.close();
      await lastWrite;
    },
  };
}

async function read(link: DaemonLink, held: readonly HeldLogin[], signal: AbortSignal | undefined) {
  const paths = held.flatMap(([, login]) => (login.file ? [login.file.path] : []));
  const makeError = () => failedDelivery(link.laneId, `its worker did not answer within ${READ_MS / 1000} s`);
  try {
    return await withDeadline({ ms: READ_MS, signal, makeError }, (within) =>
      link.readCredentials(paths, { signal: within }),
    );
  } catch (caught) {
    if (hasCode(caught, "worker.refused")) throw failedDelivery(link.laneId, String(caught.details.message), caught);
    throw caught;
  }
}
