import { describe, expect, it } from "vitest";
import { matchPlace, ROUTES, type RouteName, toPath } from "./router.ts";

describe("addresses of the page", () => {
  it.each([
    ["/", "inbox", {}],
    ["/lanes", "lanes", {}],
    ["/lanes/", "lanes", {}],
    ["/lanes/a%2Fb", "lane", { id: "a/b" }],
    ["/lanes/l1/changes", "changes", { id: "l1" }],
    ["/lanes/l1/drift?x=1", "drift", { id: "l1" }],
    ["/lanes/l1/terminal", "terminal", { id: "l1" }],
    ["/health", "health", {}],
    ["/lanes/l1/nothing", null, {}],
    ["/lanes/%", null, {}],
    ["/assets/main.js", null, {}],
  ])("%s is %s", (path, name, params) => {
    expect(matchPlace(path)).toMatchObject({ name, params });
  });

  it("finds back every address that it makes", () => {
    for (const name of Object.keys(ROUTES) as RouteName[]) {
      const params: Record<string, string> = ROUTES[name].includes(":id") ? { id: "ä / ?#" } : {};
      expect(matchPlace(toPath(name, params, { q: "a&b", none: null, empty: "" }))).toMatchObject({ name, params });
    }
    expect(toPath("inbox", {}, { state: "done", kind: null, item: "i 1" })).toBe("/?state=done&item=i+1");
  });
});
