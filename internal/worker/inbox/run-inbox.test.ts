import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../base/index.ts";
import { runInbox } from "./index.ts";

const CONTEXT = { lane: "demo-01", name: "demo", branch: "demo", generation: 2, job: null };
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  cleanups.push(() => server.close().closeAllConnections());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function inbox(argv: readonly string[], apiUrl?: string, budgetMs = 1000) {
  let out = "";
  let err = "";
  const deps = { apiUrl, budgetMs, clock: systemClock };
  const code = await runInbox(argv, {
    ...deps,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

describe("inbox", () => {
  it("shows the lane's context, as text and as JSON", async () => {
    const paths: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      paths.push(request.url);
      response.end(JSON.stringify(CONTEXT));
    });
    expect(await inbox(["context"], url)).toEqual({
      code: 0,
      out: "lane        demo-01\nname        demo\nbranch      demo\ngeneration  2\njob         -\n",
      err: "",
    });
    const json = await inbox(["context", "--json"], url);
    expect(JSON.parse(json.out)).toEqual(CONTEXT);
    expect(paths).toEqual(["/v1/lane/context", "/v1/lane/context"]);
  });

  it("waits while the host restarts", async () => {
    let calls = 0;
    const url = await serve((_request, response) => {
      calls++;
      if (calls === 1) response.destroy();
      else if (calls === 2) response.writeHead(503).end("{}");
      else response.end(JSON.stringify(CONTEXT));
    });
    expect(await inbox(["context"], url)).toMatchObject({ code: 0 });
    expect(calls).toBe(3);
  });

  it("gives up with 6 after its budget, and passes refusals on", async () => {
    const gone = await inbox(["context"], "http://127.0.0.1:1", 200);
    expect(gone).toMatchObject({ code: 6, out: "" });
    expect(gone.err).toContain("not reachable");
    const url = await serve((_request, response) => response.writeHead(404).end('{"detail":"no such lane"}'));
    expect(await inbox(["context"], url)).toEqual({ code: 3, out: "", err: "inbox: no such lane\n" });
  });

  it("is honest about what it cannot do", async () => {
    const help = await inbox(["--help"]);
    expect(help.code).toBe(0);
    expect(help.out).toContain("inbox context");
    for (const verb of ["ask", "report", "task", "lanes"]) {
      expect(help.out).not.toContain(`inbox ${verb}`);
      expect(await inbox([verb, "x"])).toEqual({
        code: 2,
        out: "",
        err: `inbox ${verb} is not available in this version\n`,
      });
    }
    for (const argv of [[], ["nonsense"], ["context", "--yaml"], ["context"]]) {
      expect(await inbox(argv)).toMatchObject({ code: 2, out: "" });
    }
  });
});
