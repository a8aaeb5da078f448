import { dirname } from "node:path";
import { type AppError, abortReason, systemClock, TaskGroup, toAppError } from "../base/index.ts";
import { type LoginDigest, type LoginOwner, type LoginState, stateAt } from "./login.ts";
import {
  type LoginChoice,
  type LoginPlaces,
  logInHint,
  loginPathsOf,
  observeLogin,
  variablesOf,
} from "./observe-login.ts";
import { runSyncCommand } from "./sync-command.ts";
import { watchCredentialFolder } from "./watch-folder.ts";

/** What logins are opened with. */
export interface LoginOptions {
  readonly owners: readonly LoginOwner[];
  /** What configuration says about an agent. */
  readonly choiceOf: (agent: string) => LoginChoice;
  /** Command line that renews its login on the host; null for none. */
  readonly syncCommandOf: (agent: string) => readonly string[] | null;
  readonly env: LoginPlaces["env"];
  readonly home: string;
  readonly folder: string | null;
  readonly digest: LoginDigest;
  /** An agent's login is another one, or stands otherwise. Never for nothing. */
  readonly changed: (owner: LoginOwner, state: LoginState) => void;
  /** A folder is not watched well: changes may come some seconds late. */
  readonly degraded: (error: Error) => void;
  /** A sync command has failed; the sources are read all the same. */
  readonly syncFailed: (error: AppError) => void;
}

/** The logins of agents on this host, kept in sight. */
export interface AgentLogins extends AsyncDisposable {
  readonly owners: readonly LoginOwner[];
  /** As it is now. `missing` for an agent that is not known. */
  stateOf(agent: string): LoginState;
  /**
   * Runs the sync command and reads the sources again. True when the agent's login is another one than before; or than
   * the one of `account`, where the caller says which it has used: then there may be nothing left to do. Calls at once
   * share one run. Rejects only for the signal.
   */
  renew(
    agent: string,
    opts: { readonly account?: string | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<boolean>;
  /** Values of variables that must not be seen in any output. */
  variableSecrets(): readonly string[];
}

/** Longer than a small file takes to be written. */
const LOOK_AGAIN_MS = 150;

/** Opens the logins: each has been looked for once when this resolves. */
export async function openAgentLogins(options: LoginOptions): Promise<AgentLogins> {
  const { owners, env, home, folder } = options;
  const ended = new AbortController();
  const { signal } = ended;
  const states = new Map<string, LoginState>();
  const renewals = new Map<string, Promise<boolean>>();
  const tasks = new TaskGroup((_, error) => options.degraded(error));
  const placesOf = ({ name }: LoginOwner): LoginPlaces => {
    return { choice: options.choiceOf(name), env, home, folder, digest: options.digest, nowMs: systemClock.nowMs() };
  };
  const stateOf = (owner: LoginOwner): LoginState => {
    const { choice, nowMs } = placesOf(owner);
    const hint = logInHint(owner, choice);
    return stateAt(owner, states.get(owner.name) ?? { kind: "missing", hint }, hint, nowMs);
  };
  const read = async (owner: LoginOwner): Promise<void> => {
    const before = states.get(owner.name) ?? null;
    const next = await observeSurely(owner, () => placesOf(owner), before, signal);
    if (signal.aborted) return;
    states.set(owner.name, next);
    if (before === null || !isSame(before, next)) options.changed(owner, stateOf(owner));
  };
  const readers = new Map(owners.map((owner) => [owner.name, coalesce(() => read(owner))]));
  const reread = (owner: LoginOwner) => readers.get(owner.name)?.() ?? Promise.resolve();
  const renew = async (owner: LoginOwner): Promise<boolean> => {
    const before = revisionOf(stateOf(owner));
    const argv = options.syncCommandOf(owner.name);
    if (argv && argv.length > 0) {
      await runSyncCommand(owner.name, { argv, env, home }, { signal }).catch((caught: unknown) => {
        if (!signal.aborted) options.syncFailed(toAppError(caught));
      });
    }
    await reread(owner);
    const after = revisionOf(stateOf(owner));
    return after !== null && after !== before;
  };

  await Promise.all(owners.map(reread));
  for (const owner of owners) {
    const files = loginPathsOf(owner, placesOf(owner));
    for (const file of files) {
      const look = () => tasks.run("look", () => reread(owner));
      const watching = { signal, only: file, onError: options.degraded };
      tasks.run("watch", () => watchCredentialFolder(dirname(file), look, watching));
    }
  }
  return {
    owners,
    stateOf: (agent) => {
      const owner = owners.find(({ name }) => name === agent);
      return owner ? stateOf(owner) : { kind: "missing", hint: `there is no login for ${agent}` };
    },
    renew: async (agent, { account, signal: waiting }) => {
      const owner = owners.find(({ name }) => name === agent);
      if (!owner) return false;
      const now = stateOf(owner);
      if (account !== undefined && now.kind === "usable" && now.login.account !== account) return true;
      const known = renewals.get(agent);
      const renewal = known ?? renew(owner).finally(() => renewals.delete(agent));
      if (!known) renewals.set(agent, renewal);
      return await orAborted(renewal, waiting);
    },
    variableSecrets: () => {
      const values = owners.flatMap(variablesOf).map((name) => (env[name] ?? "").trim());
      return [...new Set(values)].filter((value) => value !== "");
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await Promise.allSettled(renewals.values());
      await tasks.close();
    },
  };
}

/** What cannot be used, or is not there any more, is only believed when it is seen twice: files are being replaced. */
async function observeSurely(
  owner: LoginOwner,
  placesNow: () => LoginPlaces,
  before: LoginState | null,
  signal: AbortSignal,
): Promise<LoginState> {
  const first = await observeLogin(owner, placesNow());
  const isWorse = first.kind === "refused" || (first.kind === "missing" && before?.kind === "usable");
  // What was so before needs no second look.
  if (!isWorse || (before !== null && isSame(before, first))) return keepLast(first, before);
  await systemClock.sleep(LOOK_AGAIN_MS, { signal }).catch(() => undefined);
  return keepLast(await observeLogin(owner, placesNow()), before);
}

/** A refused login leaves the one before it in the lanes. */
function keepLast(next: LoginState, before: LoginState | null): LoginState {
  if (next.kind !== "refused" || before === null || before.kind === "missing") return next;
  return { ...next, last: before.kind === "usable" ? before.login : before.last };
}

function isSame(a: LoginState, b: LoginState): boolean {
  if (a.kind === "usable") {
    return b.kind === "usable" && a.login.revision === b.login.revision && a.login.source === b.login.source;
  }
  if (a.kind === "refused") return b.kind === "refused" && a.error.message === b.error.message;
  return b.kind === "missing";
}

function revisionOf(state: LoginState): string | null {
  return state.kind === "usable" ? state.login.revision : null;
}

/** One call at a time; those that come meanwhile share one more, which begins after they were made. */
function coalesce(fn: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;
  return () => {
    if (next) return next;
    const begin = () => {
      next = null;
      running = fn();
      return running;
    };
    next = running.then(begin, begin);
    return next;
  };
}

/** The wait ends with the signal; what is waited for goes on for others. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortReason(signal));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
