import { createHash } from "node:crypto";
import {
  AGENTS,
  type Agent,
  type AgentName,
  type AgentVerdict,
  composeOutcomePrompt,
  findAgent,
  isSessionId,
  type QuestionOutcome,
} from "../../agents/index.ts";
import { AppError } from "../../base/index.ts";
import type { LoginState } from "../../credentials/index.ts";
import type { Hold, Judgement, WorkResolver } from "../../dispatch/index.ts";
import type { Job, JobResult, JobSpec } from "../../job/index.ts";
import type { StartWork } from "../../protocol/index.ts";
import type { AccountBook } from "./account-book.ts";

/** What prompts need to know of agents on this host. */
export interface PromptDeps {
  readonly commands: WorkResolver;
  readonly nowMs: () => number;
  readonly outputCapBytes: number;
  /** Names of the agents that lanes have, beside `shell`. */
  readonly installed: () => readonly string[];
  /** Path of the agent's program in the container that the lane has now; null when that was made without it. */
  readonly programOf: (laneId: string, agent: AgentName) => string | null;
  /** What configuration adds to the agent's process; nothing secret. */
  readonly extrasOf: (agent: AgentName) => {
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  };
  readonly loginOf: (agent: AgentName) => LoginState;
  /** Renews what the lane's agents are told beside their prompts; gives its folder in the lane. Throws what keeps it from that. */
  readonly guide: (laneId: string) => Promise<string>;
  /** The agent that the lane, its workspace or the installation prefers; null when none does. */
  readonly preferred: (laneId: string) => string | null;
  /** The uid that agents have in the lane. */
  readonly agentUid: (laneId: string) => number | null;
  readonly sessions: {
    findSession(job: string): string | null;
    findLastSession(laneId: string, agent: string): string | null;
  };
  /** What came of the questions with whose outcome the job's present attempt begins, oldest first. */
  readonly outcomesOf: (job: Job) => readonly QuestionOutcome[];
  readonly accounts: AccountBook;
  /** An attempt failed for want of a login. Called in the middle of the commit: only schedule there. */
  readonly onLoginFailed: (job: Job, agent: AgentName, account: string | null) => void;
}

/** Node of the runtime image. */
const LANE_NODE = "/usr/local/bin/node";

/** Sessions that name themselves rather than an id. */
const SESSION_WORDS: ReadonlySet<string> = new Set(["new", "continue"]);

/** Prompts go to agents, everything else to `commands`. */
export function createPromptResolver(deps: PromptDeps): WorkResolver {
  return {
    settle: (spec, laneId) =>
      spec.work.kind === "prompt" ? settle(deps, spec, laneId) : deps.commands.settle(spec, laneId),
    resolve: (job, opts) => (job.spec.work.kind === "prompt" ? resolve(deps, job) : deps.commands.resolve(job, opts)),
    holdOf: (job) => holdOf(deps, job),
    judge: (job, result) => judge(deps, job, result),
  };
}

function settle(deps: PromptDeps, spec: JobSpec, laneId: string): JobSpec {
  const { work } = spec;
  if (work.kind !== "prompt") return spec;
  const name = work.agent ?? deps.preferred(laneId) ?? onlyOne(deps.installed());
  const agent = agentOf(name);
  if (agent.install !== null && !deps.installed().includes(agent.name)) throw notInstalled(agent);
  const session = work.session === "" ? "new" : work.session;
  if (!SESSION_WORDS.has(session) && !isSessionId(session)) {
    throw new AppError({
      code: "usage.invalid",
      message: `${JSON.stringify(session)} is not a session`,
      hint: "give new, continue, or the id that lane job show prints",
    });
  }
  return { ...spec, work: { ...work, agent: agent.name, session } };
}

async function resolve(deps: PromptDeps, job: Job): Promise<StartWork> {
  const { work, deadlineMs } = job.spec;
  if (work.kind !== "prompt") throw new AppError({ code: "internal.bug", message: `job ${job.id} is no prompt` });
  const agent = agentOf(work.agent);
  const program = deps.programOf(job.laneId, agent.name);
  if (agent.install !== null && program === null) throw notInstalled(agent);
  const { args, env } = deps.extrasOf(agent.name);
  const login = agent.logins.length === 0 ? null : deps.loginOf(agent.name);
  const usable = login?.kind === "usable" ? login.login : null;
  const own = job.state.attempt > 1 ? deps.sessions.findSession(job.id) : null;
  const outcomes = deps.outcomesOf(job);
  const command = agent.command({
    node: LANE_NODE,
    program,
    prompt: composeOutcomePrompt(agent, { prompt: work.prompt, resumed: own !== null, outcomes }),
    // A later attempt goes on where the one before it was.
    resume: own ?? sessionOf(deps, job.laneId, { agent: agent.name, session: work.session }),
    newSession: sessionId(job.id, job.state.attempt),
    login: usable?.name ?? null,
    guide: agent.guide === null ? null : await deps.guide(job.laneId),
    extraArgs: args,
    extraEnv: env,
    asRoot: deps.agentUid(job.laneId) === 0,
  });
  return {
    argv: [...command.argv],
    env: { ...command.env, ...usable?.env },
    cwd: "/workspace",
    stdin: command.stdin,
    deadlineMs,
    outputCapBytes: deps.outputCapBytes,
    agent: agent.name,
    ...(command.files.length > 0 && { files: [...command.files] }),
  };
}

/** The session that the caller wanted; null for a new one. */
function sessionOf(
  deps: PromptDeps,
  laneId: string,
  wanted: { readonly agent: string; readonly session: string },
): string | null {
  if (wanted.session === "new") return null;
  return wanted.session === "continue" ? deps.sessions.findLastSession(laneId, wanted.agent) : wanted.session;
}

/** The same UUID whenever the same attempt is sent. */
function sessionId(job: string, attempt: number): string {
  const hex = createHash("sha256").update(`${job}/${attempt}`).digest("hex");
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join("-");
}

function holdOf(deps: PromptDeps, job: Job): Hold | null {
  const agent = agentOfJob(job);
  if (agent === null) return null;
  if (agent.install !== null && deps.programOf(job.laneId, agent.name) === null) {
    const detail = `the lane's container was made without ${agent.title}; it is made anew when the lane is idle`;
    return { reason: "agent", detail, untilMs: null };
  }
  if (agent.logins.length === 0) return null;
  const state = deps.loginOf(agent.name);
  if (state.kind === "usable") return deps.accounts.holdOf(state.login.account, agent.title);
  const why = state.kind === "missing" ? `${agent.title} has no login: ${state.hint}` : state.error.message;
  return { reason: "login", detail: why, untilMs: null };
}

function judge(deps: PromptDeps, job: Job, result: JobResult): Judgement | null {
  const agent = agentOfJob(job);
  if (agent === null || !result.agent) return null;
  const { exitCode, signal, stderrTail, agent: summary } = result;
  const verdict = agent.classify({ exitCode, signal, stderrTail, endedAtMs: deps.nowMs(), summary });
  const login = agent.logins.length === 0 ? null : deps.loginOf(agent.name);
  if (login?.kind === "usable") deps.accounts.tell(login.login.account, verdict);
  if (verdict.kind === "succeeded") return { error: null, again: null };
  if (verdict.failure === "login")
    deps.onLoginFailed(job, agent.name, login?.kind === "usable" ? login.login.account : null);
  const error = { code: `agent.${verdict.failure}`, message: messageOf(agent, verdict) };
  return {
    error,
    again: verdict.failure === "limit" && login !== null ? `${error.message}; tried again after its reset` : null,
  };
}

function messageOf(agent: Agent, verdict: Extract<AgentVerdict, { readonly kind: "failed" }>): string {
  return `${agent.title}: ${verdict.message}`.slice(0, 4096);
}

/** Null for what is no prompt, or for an agent that an earlier build knew. */
function agentOfJob({ spec: { work } }: Job): Agent | null {
  if (work.kind !== "prompt") return null;
  return AGENTS.find((agent) => agent.name === work.agent) ?? null;
}

function agentOf(name: string | null): Agent {
  if (name !== null) return findAgent(name);
  throw new AppError({
    code: "usage.invalid",
    message: "no agent is chosen for this prompt",
    hint: "name one with --agent, or choose one for the lane: lane set <lane> agent=claude (see lane agents ls)",
  });
}

function notInstalled(agent: Agent): AppError {
  return new AppError({
    code: "usage.invalid",
    message: `${agent.title} is not installed`,
    hint: `install it: lane agents install ${agent.name}@<version>`,
  });
}

function onlyOne(names: readonly string[]): string | null {
  return names.length === 1 ? (names[0] ?? null) : null;
}
