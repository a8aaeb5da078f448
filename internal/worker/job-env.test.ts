import { describe, expect, it } from "vitest";
import { buildJobEnv } from "./job-env.ts";

const base = { home: "/lane/state/home", apiUrl: "http://127.0.0.1:31418", agentUid: 1000 };
const ATTEMPT = { job: "j1", attempt: 2 };

describe("a job's environment", () => {
  it("gives Node-based agents the lane's CA bundle, which the container's own environment leaves out", () => {
    const own = { SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt" };
    expect(buildJobEnv({ ...base, own }, {}, ATTEMPT).NODE_EXTRA_CA_CERTS).toBe(own.SSL_CERT_FILE);
  });

  it("leaves a bundle the lane or the work names, and names none where there is none", () => {
    const own = { SSL_CERT_FILE: "/a", NODE_EXTRA_CA_CERTS: "/b" };
    expect(buildJobEnv({ ...base, own }, {}, ATTEMPT).NODE_EXTRA_CA_CERTS).toBe("/b");
    expect(buildJobEnv({ ...base, own }, { NODE_EXTRA_CA_CERTS: "/c" }, ATTEMPT).NODE_EXTRA_CA_CERTS).toBe("/c");
    expect(buildJobEnv({ ...base, own: {} }, {}, ATTEMPT)).not.toHaveProperty("NODE_EXTRA_CA_CERTS");
  });

  it("keeps the agent's identity against the container's, and marks every process", () => {
    const env = buildJobEnv({ ...base, own: { HOME: "/root", USER: "worker", FOO: "bar" } }, {}, ATTEMPT);
    expect(env).toMatchObject({ HOME: base.home, FOO: "bar", LANEKEEPER_JOB: "j1/2", INBOX_API_URL: base.apiUrl });
  });
});
