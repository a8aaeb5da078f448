import type { Logger } from "pino";
import { type AppError, hasCode } from "../../base/index.ts";
import {
  type CredentialSet,
  type CredentialSource,
  type LoginOptions,
  type LoginOwner,
  type LoginState,
  loginIn,
  openAgentLogins,
  openCredentialSource,
  secretsOf,
  secretsOfLogin,
  setOf,
  toDelivery,
  withContents,
} from "../../credentials/index.ts";
import type { ApiLane } from "../../protocol/index.ts";
import type { Credentials } from "../../supervisor/index.ts";
import type { DaemonLink } from "../worker-links.ts";
import { deliverCredentials } from "./deliver-credentials.ts";
import type { DeliveryMark } from "./delivery-mark.ts";
import { createRenewedLogins, type HeldLogin } from "./renewed-logins.ts";
import { folderEntry, loginEntry } from "./show-credentials.ts";

/** The host's credentials, and how lanes get them: a folder's files, and the logins of the agents in use. */
export interface CredentialDesk extends Credentials<DaemonLink>, AsyncDisposable {
  /** Agents that need a login. */
  readonly owners: readonly LoginOwner[];
  /** How an agent stands with its login, and what lanes of it keep. */
  stateOf(agent: string): LoginState;
  /** The login that an agent's processes get now: while a refused one is there, the good one before it. */
  loginOf(agent: string): LoginState;
  /**
   * Runs the agent's sync command and reads its sources again. True when the login is another one than before, or than
   * the one of `account`. Rejects only for the signal.
   */
  renewLogin(
    agent: string,
    opts: { readonly account?: string | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<boolean>;
  /** Does a lane whose worker has last confirmed `digest` hold the agent's login file as it is now? */
  isDelivered(agent: string, digest: string | null): boolean;
  /** Something happens in a lane: its agent may renew a login. */
  noteActivity(laneId: string): void;
  /** Other agents are in use now. */
  agentsChanged(): void;
  /** As a lane shows it whose worker has last confirmed `digest`. Never values. */
  show(digest: string | null): ApiLane["credentials"];
}

/** What the desk works with. */
export interface CredentialDeskDeps {
  readonly folder: string | null;
  readonly logins: Omit<LoginOptions, "folder" | "changed" | "degraded" | "syncFailed">;
  /** Do lanes have this agent? Only then do they get its login. */
  readonly isInUse: (agent: string) => boolean;
  /** Does what a lane's agent renews come back into the host's file? */
  readonly writesBack: (agent: string) => boolean;
  /** Build of the workers that this daemon starts. */
  readonly workerBuild: string;
  readonly mark: DeliveryMark;
  readonly log: Logger;
  /** Uid of a generation's agent, as seen in its container. */
  readonly agentUid: (laneId: string, generation: number) => number | null;
  /** Names of the other lanes whose worker has last confirmed this digest. */
  readonly otherLanes: (laneId: string, digest: string) => readonly string[];
  /** There are other secrets, for redaction only. Called before anything else learns of them. */
  readonly onSecrets: (secrets: readonly string[]) => void;
  /** What lanes are to have may be another, or cannot be used any more. */
  readonly onChange: () => void;
}

/** What lanes are to have, or why that cannot be said. */
type Wanted = { readonly set: CredentialSet } | { readonly error: AppError };

/** Opens the desk; the folder need not exist yet. All sources have been read when this resolves. */
export async function openCredentialDesk(deps: CredentialDeskDeps): Promise<CredentialDesk> {
  const { folder, log } = deps;
  let tell = (_forLanes: boolean) => {};
  const degraded = (err: Error) => log.warn({ err }, "credentials are not watched well");
  const source =
    folder === null
      ? null
      : await openCredentialSource(folder, {
          changed: () => {
            if (source) logFolder(source, log);
            tell(true);
          },
          degraded,
        });
  if (source) logFolder(source, log);
  const logins = await openAgentLogins({
    ...deps.logins,
    folder,
    changed: (owner, state) => {
      logLogin(owner, state, deps);
      tell(deps.isInUse(owner.name));
    },
    degraded,
    syncFailed: (err) => log.warn({ err }, "sync command failed"),
  }).catch(async (caught: unknown) => {
    await source?.[Symbol.asyncDispose]();
    throw caught;
  });
  const { owners, stateOf } = logins;
  const inUse = () =>
    owners.filter(({ name }) => deps.isInUse(name)).map((owner) => [owner, stateOf(owner.name)] as const);
  const compute = () =>
    wantedOf(
      source,
      inUse().map(([, state]) => state),
    );
  const refusalNow = () => {
    if (source?.state.kind === "refused") return source.state.error;
    if ("error" in wanted) return wanted.error;
    for (const [, state] of inUse()) if (state.kind === "refused") return state.error;
    return null;
  };
  const secrets = () => {
    const set = source && setOf(source.state);
    const kept = owners.map(({ name }) => loginIn(stateOf(name))).filter((login) => login !== null);
    return [...(set ? secretsOf(set) : []), ...kept.flatMap(secretsOfLogin), ...logins.variableSecrets()];
  };
  const isDelivered = (agent: string, digest: string | null) => {
    const login = loginIn(stateOf(agent));
    return deps.isInUse(agent) && login?.file != null && "set" in wanted && digest === wanted.set.digest;
  };
  /** Of login files that void each other, those that are known to be in more than one lane: told once. */
  const told = new Set<string>();
  const warnOfCopies = (laneId: string, digest: string) => {
    for (const [{ name }, state] of inUse()) {
      const login = loginIn(state);
      if (!login?.file || !login.rotates || told.has(login.account)) continue;
      const others = deps.otherLanes(laneId, digest);
      if (others.length === 0) continue;
      told.add(login.account);
      const fields = { agent: name, account: login.account.slice(0, 12), lanes: others.length + 1 };
      log.warn(fields, "login with a single-use refresh token is in more than one lane");
    }
  };

  const renewed = createRenewedLogins({
    held: () =>
      inUse().flatMap(([owner, state]): HeldLogin[] => {
        const login = loginIn(state);
        return login?.file && login.rotates ? [[owner, login]] : [];
      }),
    writesBack: deps.writesBack,
    workerBuild: deps.workerBuild,
    onFound: (login) => deps.onSecrets([...secrets(), ...secretsOfLogin(login)]),
    log,
  });
  const revisionOf = (agent: string) => loginIn(stateOf(agent))?.revision;

  let wanted = compute();
  /** Lanes are to have something else than before the last change: then that comes before any refusal. */
  let isNewSet = false;
  tell = (forLanes) => {
    deps.onSecrets(secrets());
    if (!forLanes) return;
    const before = wanted;
    wanted = compute();
    isNewSet = "set" in wanted && !("set" in before && before.set.digest === wanted.set.digest);
    deps.onChange();
  };
  deps.onSecrets(secrets());
  return {
    owners,
    stateOf,
    isDelivered,
    loginOf: (agent) => {
      const state = stateOf(agent);
      return state.kind === "refused" && state.last ? { kind: "usable", login: state.last } : state;
    },
    noteActivity: renewed.noteActivity,
    renewLogin: async (agent, opts) => {
      const before = revisionOf(agent);
      // Of lanes that share a login, one may have renewed it.
      if (deps.writesBack(agent)) await renewed.collectAll();
      const isAnother = await logins.renew(agent, opts);
      return isAnother || (stateOf(agent).kind === "usable" && revisionOf(agent) !== before);
    },
    agentsChanged: () => tell(true),
    deliver: async (link, { signal }) => {
      const now = wanted;
      if ("error" in now) throw now.error;
      const { set } = now;
      const isEmpty = set.files.length === 0;
      // A lane that cannot hold any need not be told that there are none.
      if (isEmpty && folder === null && !deps.mark.isSet) return null;
      if (!isEmpty) deps.mark.set();
      // What the lane's agent has renewed is newer than what the host has: the host's would log it out.
      const sent = withContents(set, await renewed.collect(link, { signal }));
      await deliverCredentials(link, sent, { agentUid: deps.agentUid(link.laneId, link.generation), signal });
      if (isEmpty) return null;
      warnOfCopies(link.laneId, set.digest);
      return set.digest;
    },
    refusal: () => (isNewSet ? null : refusalNow()),
    show: (digest) => ({
      ...(source && { folder: folderEntry(source, "set" in wanted && digest === digestIn(wanted.set)) }),
      ...Object.fromEntries(
        inUse().map(([{ name }, state]) => [name, loginEntry(state, isDelivered(name, digest))] as const),
      ),
    }),
    [Symbol.asyncDispose]: async () => {
      await renewed[Symbol.asyncDispose]();
      await logins[Symbol.asyncDispose]();
      await source?.[Symbol.asyncDispose]();
    },
  };
}

function wantedOf(source: CredentialSource | null, states: readonly LoginState[]): Wanted {
  try {
    if (!source) return { set: toDelivery(null, states) };
    const { folder, state } = source;
    if (state.kind === "refused" && !state.last) return { error: state.error };
    return { set: toDelivery({ path: folder, set: setOf(state) }, states) };
  } catch (caught) {
    if (hasCode(caught, "credentials.refused")) return { error: caught };
    throw caught;
  }
}

/** As a worker confirms it: one that has nothing confirms none. */
function digestIn({ files, digest }: CredentialSet): string | null {
  return files.length === 0 ? null : digest;
}

function logFolder({ state, folder }: CredentialSource, log: Logger): void {
  if (state.kind === "refused") log.warn({ folder, err: state.error }, "credential folder refused");
  else {
    const { files, digest } = state.set;
    log.info({ folder, files: files.length, digest: digest.slice(0, 12) }, "credential folder read");
  }
}

function logLogin({ name: agent }: LoginOwner, state: LoginState, { log, isInUse }: CredentialDeskDeps): void {
  const level = isInUse(agent) ? (state.kind === "refused" ? "warn" : "info") : "debug";
  if (state.kind === "refused") log[level]({ agent, err: state.error, kept: state.last !== null }, "login refused");
  else if (state.kind === "missing") log[level]({ agent }, "no login");
  else {
    const { source, account, expiresAtMs: expiresAt } = state.login;
    log[level]({ agent, source, account: account.slice(0, 12), expiresAt }, "login read");
  }
}
