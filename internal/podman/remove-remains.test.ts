import { describe, expect, it } from "vitest";
import { removeRemains } from "./remove-remains.ts";

/** An engine that answers the two questions with these statuses. */
function engineWith(answers: { readonly own: number; readonly external: number }) {
  const dropped: string[] = [];
  const answer = (status: number) => Promise.resolve({ status, text: "" });
  return {
    dropped,
    ask: (path: string) => answer(path.includes("external=true") ? answers.external : answers.own),
    drop: (path: string) => {
      dropped.push(path);
      return answer(200);
    },
  };
}

describe("removeRemains", () => {
  it("removes what only a look at foreign storage shows", async () => {
    const engine = engineWith({ own: 404, external: 204 });
    expect(await removeRemains("lane-x", engine)).toBe(true);
    expect(engine.dropped).toEqual(["/containers/lane-x?force=true&timeout=0"]);
  });

  it.each([
    ["a container has the name", { own: 204, external: 204 }],
    ["nothing has the name", { own: 404, external: 404 }],
    ["it cannot be told", { own: 500, external: 204 }],
  ])("leaves everything alone when %s", async (_, answers) => {
    const engine = engineWith(answers);
    expect(await removeRemains("lane-x", engine)).toBe(false);
    expect(engine.dropped).toEqual([]);
  });
});
