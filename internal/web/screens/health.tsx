import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiAgent, ApiCredential, ApiDoctor, ApiStatus } from "../../protocol/index.ts";
import { describeError } from "../api.ts";
import type { App } from "../app.ts";
import { toVisible } from "../diff/parse-patch.ts";
import { formatSpan } from "../format.ts";
import { type Fetched, useFetched } from "../parts/hooks.ts";
import { PlainTable } from "../parts/scroll-box.tsx";
import type { ScreenProps } from "./screen.ts";

/** The daemon, this machine's findings, agents and their logins (how they stand, never what they are). */
export function Health({ app }: ScreenProps): VNode {
  const [round, setRound] = useState(0);
  // Also when the daemon is back.
  const all = `${round} ${app.store.connection.value.kind === "away"}`;
  const status = useAnswer<ApiStatus>(app, "/v1/status", all);
  const doctor = useAnswer<ApiDoctor>(app, "/v1/doctor", all);
  const agents = useAnswer<readonly ApiAgent[]>(app, "/v1/agents", all);
  const logins = useAnswer<readonly ApiCredential[]>(app, "/v1/credentials", all);
  const again = () => setRound((count) => count + 1);
  return (
    <div class="page-body">
      <div class="bar">
        <h1>Health</h1>
        <button type="button" class="button" onClick={again}>
          Look again
        </button>
      </div>
      <Part title="Daemon" fetched={status}>
        {(value) => <Daemon status={value} nowMs={app.nowMs.value} />}
      </Part>
      <Part title="This machine" fetched={doctor} note="looking takes a moment">
        {(value) => <Findings doctor={value} />}
      </Part>
      <Part title="Agents" fetched={agents}>
        {(value) => <Agents agents={value} />}
      </Part>
      <Part title="Logins" fetched={logins}>
        {(value) => <Logins app={app} logins={value} onChanged={again} />}
      </Part>
    </div>
  );
}

function useAnswer<T>(app: App, path: string, round: unknown): Fetched<T> {
  return useFetched(path, round, (at, signal) => app.api.call<T>("GET", at, undefined, { signal }));
}

function Part<T>(props: {
  readonly title: string;
  readonly fetched: Fetched<T>;
  readonly note?: string;
  readonly children: (value: T) => ComponentChildren;
}): VNode {
  const { value, failure } = props.fetched;
  return (
    <section class="health-part" aria-label={props.title}>
      <h2>{props.title}</h2>
      {failure === null ? null : (
        <p class="notice bad" role="alert">
          {failure}
        </p>
      )}
      {value === null && failure === null ? (
        <p class="quiet">Loading…{props.note === undefined ? null : ` (${props.note})`}</p>
      ) : null}
      {value === null ? null : props.children(value)}
    </section>
  );
}

function Daemon({ status, nowMs }: { readonly status: ApiStatus; readonly nowMs: number }): VNode {
  const { engine } = status;
  return (
    <dl class="facts">
      <Fact name="Version" value={`${status.version}, build ${status.build.slice(0, 12)}`} />
      <Fact name="Runs for" value={formatSpan(nowMs - Date.parse(status.startedAt))} />
      <Fact
        name="Engine"
        value={
          engine.ok
            ? `Podman ${engine.version ?? ""} at ${engine.address ?? "?"}`
            : (engine.error?.message ?? "not there")
        }
      />
      <Fact name="Image" value={status.image?.id ? status.image.reference : "not there: make image"} />
      <Fact name="Lanes" value={countsOf(status.lanes)} />
      <Fact name="Jobs" value={countsOf(status.jobs)} />
    </dl>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Findings({ doctor }: { readonly doctor: ApiDoctor }): VNode {
  const order = ["fail", "warn", "ok"];
  const checks = [...doctor.checks].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  return (
    <ul class="findings">
      {checks.map((check) => (
        <li key={check.id}>
          <span class={`badge ${check.level === "ok" ? "" : check.level === "warn" ? "warn" : "bad"}`}>
            {check.level}
          </span>
          <span>
            <strong>{check.title}</strong> {check.detail}
            {check.fix === null ? null : <span class="finding-fix">{check.fix}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Agents({ agents }: { readonly agents: readonly ApiAgent[] }): VNode {
  return (
    <PlainTable label="Agents" head={["Agent", "In use", "Installed", "Login"]}>
      {agents.map((agent) => (
        <tr key={agent.agent}>
          <th scope="row">{agent.title}</th>
          <td>{agent.inUse ?? (agent.package === null ? "always there" : <span class="quiet">none</span>)}</td>
          <td>{agent.versions.map((one) => one.version).join(", ") || <span class="quiet">none</span>}</td>
          <td>{agent.login.state}</td>
        </tr>
      ))}
    </PlainTable>
  );
}

function Logins(props: {
  readonly app: App;
  readonly logins: readonly ApiCredential[];
  readonly onChanged: () => void;
}): VNode {
  const { app, logins } = props;
  const nowMs = app.nowMs.value;
  const refresh = async (agent: string) => {
    try {
      await app.api.call("POST", `/v1/credentials/${encodeURIComponent(agent)}/refresh`);
      app.say("The login was read again.");
    } catch (error) {
      app.say(describeError(error));
    }
    props.onChanged();
  };
  if (logins.length === 0) return <p class="quiet">No agent that is in use needs a login.</p>;
  return (
    <PlainTable label="Logins" head={["Agent", "State", "Source", "Expires", "Lanes", ""]}>
      {logins.map((login) => (
        <tr key={login.agent}>
          <th scope="row">{login.title}</th>
          <td>
            <span class={`badge ${login.state === "usable" ? "" : "warn"}`}>{login.state}</span>
            {[login.reason?.message, login.reason?.hint, login.warning].map((text) =>
              text ? (
                <span key={text} class="finding-fix">
                  {toVisible(text)}
                </span>
              ) : null,
            )}
          </td>
          <td>{login.source === null ? <span class="quiet">none</span> : <code>{toVisible(login.source)}</code>}</td>
          <td>{login.expiresAt === null ? <span class="quiet">not known</span> : expiry(login.expiresAt, nowMs)}</td>
          <td>{login.lanes.join(", ")}</td>
          <td>
            <button type="button" class="button" onClick={() => void refresh(login.agent)}>
              Read again<span class="unseen"> the login of {login.title}</span>
            </button>
          </td>
        </tr>
      ))}
    </PlainTable>
  );
}

function expiry(iso: string, nowMs: number): string {
  const leftMs = Date.parse(iso) - nowMs;
  return leftMs > 0 ? `in ${formatSpan(leftMs)}` : `${formatSpan(-leftMs)} ago`;
}

function countsOf(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  return parts.length === 0 ? "none" : parts.map(([word, count]) => `${count} ${word}`).join(", ");
}
