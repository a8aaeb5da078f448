import type { Logger } from "pino";
import { hasCode, TaskGroup, toError } from "../../base/index.ts";
import type { LoginState } from "../../credentials/index.ts";
import type { Job } from "../../job/index.ts";
import type { AccountBook } from "./account-book.ts";

/** Sees to it that work goes on once there is a login again, and that a failed one is renewed once. */
export interface LoginKeeper extends AsyncDisposable {
  /** The job's attempt failed for want of a login. Never throws; what follows comes later. */
  failed(job: Job, agent: string, account: string | null): void;
  /** Logins may be other ones now. */
  changed(): void;
}

/** What a keeper works with. */
export interface LoginKeeperDeps {
  readonly agents: readonly string[];
  readonly loginOf: (agent: string) => LoginState;
  readonly renewLogin: (
    agent: string,
    opts: { readonly account?: string | undefined; readonly signal: AbortSignal },
  ) => Promise<boolean>;
  readonly accounts: AccountBook;
  /** Queues a failed job again. @throws job.*, request.invalid when it is not failed any more */
  readonly retry: (jobId: string) => void;
  /** For the feed: people have to log in. */
  readonly onNeeded: (job: Job, agent: string) => void;
  readonly log: Logger;
}

/** Jobs whose one retry is remembered; older ones have ended long ago. */
const RETRIED_MAX = 1000;

/** See {@link LoginKeeper}. */
export function createLoginKeeper(deps: LoginKeeperDeps): LoginKeeper {
  const { accounts, log } = deps;
  const ended = new AbortController();
  const tasks = new TaskGroup((op, err) => log.error({ op, err }, "login keeper failed"));
  const retried = new Set<string>();
  const revisions = new Map<string, string | null>(
    deps.agents.map((agent) => [agent, revisionOf(deps.loginOf(agent))]),
  );

  const renew = async (job: Job, agent: string, account: string | null) => {
    const again = await deps.renewLogin(agent, { account: account ?? undefined, signal: ended.signal });
    const state = deps.loginOf(agent);
    if (again && state.kind === "usable") accounts.renew(state.login.account);
    if (!again || retried.has(job.id)) return deps.onNeeded(job, agent);
    if (retried.size >= RETRIED_MAX) retried.clear();
    retried.add(job.id);
    log.info({ jobId: job.id, agent }, "login renewed; the job is tried again");
    deps.retry(job.id);
  };

  return {
    failed: (job, agent, account) => {
      setImmediate(() =>
        tasks.run("renew", async () => {
          try {
            await renew(job, agent, account);
          } catch (caught) {
            // Cancelled or removed meanwhile.
            if (hasCode(caught, "request.invalid", "job.not_found", "lane.not_found", "cancelled")) return;
            throw toError(caught);
          }
        }),
      );
    },
    changed: () => {
      for (const agent of deps.agents) {
        const state = deps.loginOf(agent);
        const revision = revisionOf(state);
        if (revision === revisions.get(agent)) continue;
        revisions.set(agent, revision);
        if (state.kind === "usable" && accounts.stateOf(state.login.account).kind === "login_needed") {
          accounts.renew(state.login.account);
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await tasks.close();
    },
  };
}

function revisionOf(state: LoginState): string | null {
  return state.kind === "usable" ? state.login.revision : null;
}
