import { describe, expect, it } from "vitest";
import { testSpec } from "../../reconcile/testing.ts";
import type { EngineConnection, LaneView } from "../../supervisor/index.ts";
import { execPlanOf } from "./exec-plan.ts";

const engine = { facts: { address: "unix:///run/podman.sock" } } as EngineConnection;
const view = (phase: string) => ({ lane: { name: "demo" }, state: { phase, containerId: "c1" } }) as LaneView;
const request = { tty: false, argv: ["git", "status"] };

describe("how the engine's CLI runs something in a lane", () => {
  it("is as the agent, without rights, and with the CA bundle for Node where the lane has one", () => {
    const spec = { ...testSpec(), env: { SSL_CERT_FILE: "/ca.crt" } };
    const { argv } = execPlanOf(engine, view("ready"), spec, request);
    expect(argv.slice(0, 5)).toEqual(["podman", "--remote", "--url", "unix:///run/podman.sock", "exec"]);
    expect(argv[argv.indexOf("--env") + 1]).toBe("NODE_EXTRA_CA_CERTS=/ca.crt");
    expect(argv.indexOf("--env")).toBeLessThan(argv.indexOf("c1"));
    expect(argv).toContain(`--reuid=${spec.security.agentUid}`);
    expect(argv.slice(-3)).toEqual(["--", "git", "status"]);
    expect(execPlanOf(engine, view("ready"), { ...spec, env: {} }, request).argv).not.toContain("--env");
  });

  it("is refused, with the next step, where no container runs", () => {
    const attempt = () => execPlanOf(engine, view("stopped"), testSpec(), request);
    expect(attempt).toThrow(expect.objectContaining({ code: "lane.not_ready", hint: "start it: lane start demo" }));
  });
});
